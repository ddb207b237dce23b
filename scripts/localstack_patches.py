"""Writes docs/localstack-patches.md from the docstrings of what touches LocalStack.

python scripts/localstack_patches.py          write the page
python scripts/localstack_patches.py --check  exit 1 when the page is not up to date
"""

from __future__ import annotations

import ast
import itertools
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "emulator/plugin/trigger_stack/localstack"
PAGE = ROOT / "docs/localstack-patches.md"
FIELDS = ("What", "Why", "Until", "Test")
_HEAD = """# What is changed in LocalStack

`make docs` writes this page from the docstrings of the modules below
`emulator/plugin/trigger_stack/localstack/`. No other code imports LocalStack or moto.
"""


@dataclass(frozen=True)
class Entry:
    """One module that touches LocalStack.

    Attributes:
        module: Path below the package.
        title: First line of its docstring.
        fields: Text of each of ``FIELDS`` that the docstring has.
    """

    module: str
    title: str
    fields: dict[str, str]


def touches_localstack(tree: ast.Module) -> bool:
    """Whether a module imports LocalStack or moto anywhere."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        if any(name.split(".")[0] in ("localstack", "moto") for name in names):
            return True
    return False


def entries() -> list[Entry]:
    """Every module of the package that touches LocalStack, by path."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if touches_localstack(tree):
            title, _, rest = (ast.get_docstring(tree) or "").partition("\n")
            _, *parts = re.split(rf"^({'|'.join(FIELDS)}): ", rest, flags=re.MULTILINE)
            fields = {name: " ".join(text.split()) for name, text in itertools.batched(parts, 2)}
            found.append(Entry(file.relative_to(PACKAGE).as_posix(), title, fields))
    return found


def page() -> str:
    """The page as it has to be."""
    sections = [_HEAD]
    for entry in entries():
        lines = [f"## `{entry.module}`", "", entry.title.replace("``", "`"), ""]
        lines += [
            f"- **{name}**: {entry.fields[name].replace('``', '`')}"
            for name in FIELDS
            if name in entry.fields
        ]
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


def main(arguments: list[str]) -> int:
    """Write or check the page; the exit code."""
    wanted = page()
    if arguments == ["--check"]:
        if PAGE.read_text(encoding="utf-8") == wanted:
            return 0
        print("docs/localstack-patches.md is not up to date. Write it with: make docs")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

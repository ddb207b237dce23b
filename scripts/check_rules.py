"""Writes docs/checks.md from the rules of ``make check``.

python scripts/check_rules.py          write the page
python scripts/check_rules.py --check  exit 1 when the page is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/checks.md"
_HEAD = """\
# Where an event could vanish

`make check` reads `serverless.yml`, what it compiles to, and the functions' code, and says before
the start what AWS refuses and where an event could vanish. It creates nothing and needs no stack.
`make docs` writes this page from the rules.

```sh
make check                            # errors fail; warnings and notes are shown
make check STRICT=1                   # warnings fail, too: for CI
make check STRICT=1 FORMAT=sarif      # text, json or sarif (SARIF 2.1.0, for code scanning)
```

| Severity | Means | `make up` |
|---|---|---|
| error | AWS refuses it, or it can never work | refuses |
| warning | an event can vanish, or come without end | says in one line how many there are |
| note | worth knowing | says nothing |

| Exit code | Means |
|---|---|
| 0 | nothing counts |
| 1 | an error, or with `--strict` a warning |
| 2 | wrong use, or the file cannot be read as far as to have resources (TS001) |

A finding stands at `file:line:column` of the key itself, or of the call in a function's code. A
comment on its line or the line above silences it; the reason is required, and a comment that
silences nothing is a finding itself:

```yaml
      - sqs:
          arn: !GetAtt OrdersQueue.Arn
          # check: ignore=TS113 the other kinds are for people, who read them in the archive
          filterPatterns: [{ body: { kind: [sold] } }]
```

What the code does is read from its syntax tree, in Python only, and only what is certain: a name,
a bus or a key that is computed is unknown, and no rule says anything about it. What begins with TS0
cannot be silenced.
"""


def page() -> str:
    """The page as it should be."""
    from bootstrap.checks import themes

    parts = [_HEAD]
    for title, rules in themes():
        parts.append(f"## {title.rstrip('.').partition(':')[0].partition(' (')[0]}\n")
        parts.append("| Rule | Severity | Why | How to mend it |\n|---|---|---|---|")
        parts += [
            f"| {rule.id} | {rule.severity} | {_cell(rule.why)} | {_cell(rule.mend)} |"
            for rule in rules
        ]
        parts.append("")
    return "\n".join(parts).rstrip("\n") + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    """Write the page, or with ``--check`` compare it; the exit code."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text(encoding="utf-8") != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())

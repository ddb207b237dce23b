"""A small project in a temporary folder, and what the bootstrap makes of it."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bootstrap.checks import check
from bootstrap.definition.compile import compile_template
from bootstrap.definition.document import Document, load_document
from bootstrap.definition.variables import resolve_variables
from bootstrap.errors import DefinitionError
from bootstrap.template import Template
from trigger_stack_engine.environments import interpreters

HANDLER = "def handler(event, context):\n    return event\n"
#: Nothing but a service; tests add what they are about.
PROVIDER = """\
service: shop
provider:
  name: aws
  stage: test
  runtime: python3.13
"""
#: One function; its events are what tests add (at four spaces).
FUNCTION = (
    PROVIDER
    + """\
functions:
  greet:
    handler: app.handler
"""
)


class Project:
    """A folder with a definition file and one handler, ``app.handler``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "serverless.yml"
        (root / "app.py").write_text(HANDLER)

    def write(self, text: str | bytes) -> Path:
        if isinstance(text, str):
            text = textwrap.dedent(text).encode()
        self.file.write_bytes(text)
        return self.file

    def document(self, text: str | bytes) -> Document:
        return load_document(self.write(text))

    def compile(
        self,
        text: str,
        *,
        environment: dict[str, str] | None = None,
        options: dict[str, str] | None = None,
    ) -> Template:
        document = self.document(text)
        resolve_variables(document, environment=environment or {}, options=options)
        return compile_template(document)

    def refused(self, text: str | bytes, **variables: dict[str, str]) -> DefinitionError:
        """The message about a definition that cannot be used."""
        with pytest.raises(DefinitionError) as caught:
            check(self.compile(text, **variables))  # type: ignore[arg-type]  # bytes for broken encodings
        return caught.value


@pytest.fixture(scope="module", autouse=True)
def machine_with_every_runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Every runtime is installed, whatever the machine has: tests of definitions need no other."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "programs").mkdir()
    for program in ("node", "npm"):
        (folder / "programs" / program).touch(mode=0o755)
    for name in interpreters.PYTHONS:
        (folder / name).mkdir()
        (folder / name / ".interpreter").write_text(f"{sys.executable}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAMBDA_PROCESS_PYTHON_RUNTIMES", str(folder))
        patch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{folder / 'programs'}")
        yield


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def with_events(project: Project) -> Callable[[str], Template]:
    """Compile the function ``greet`` with these events."""
    return lambda events: project.compile(FUNCTION + events_of(events))


@pytest.fixture
def refused_events(project: Project) -> Callable[[str], DefinitionError]:
    """The findings about the function ``greet`` with these events."""
    return lambda events: project.refused(FUNCTION + events_of(events))


def events_of(events: str) -> str:
    return "    events:\n" + textwrap.indent(textwrap.dedent(events).strip("\n"), " " * 6) + "\n"

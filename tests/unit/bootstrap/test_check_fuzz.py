"""Whatever is wrong in a definition or in a function's code, ``check`` ends with findings.

``make fuzz MUTANTS=100000`` looks at that many; :mod:`tests.support.mutants` says of what.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.checks import everything, examine, formats
from bootstrap.commands.check import Format, run
from bootstrap.commands.load import load_template
from bootstrap.errors import DefinitionError
from tests.support.mutants import (
    OSLS,
    Project,
    Projects,
    each,
    mutant,
    mutate_bytes,
    mutate_code,
    numbers,
    projects,
)

MOST_TEXT = 20_000
#: What no user should have to read.
PYTHON = re.compile(
    r"NoneType|<class|object at 0x|Traceback|pydantic|\bdict\b|\bKeyError|\blist\[|lambda>"
)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VARIABLES_ENV_SET", "from the environment")
        yield projects(tmp_path_factory.mktemp("mutants"))


def sentence(text: str) -> None:
    assert text.strip()
    assert len(text) < MOST_TEXT
    assert not PYTHON.search(text), text


def examined(file: Path) -> None:
    """Look at a file in every format; nothing but sentences about lines of it come of it."""
    lines = file.read_text(encoding="utf-8").count("\n") + 1
    try:
        report = examine(load_template(file))
    except DefinitionError as error:
        assert str(everything(error)).startswith("serverless.yml")
        for one in error.errors:
            sentence(str(one))
            assert 0 <= (one.line or 0) <= lines or one.file != file.name
    else:
        assert json.loads(formats.as_json(report, file.name))["findings"] is not None
        assert json.loads(formats.as_sarif(report))["version"] == "2.1.0"
        for finding in report.findings:
            sentence(finding.what)
            assert 0 <= finding.line <= lines or finding.in_code


def mutated_definition(of: list[Project], known: Projects, chance: random.Random) -> None:
    project = chance.choice(of)
    project.write(mutant(project, chance.choice(known.small + known.whole), chance))
    examined(project.file)


@pytest.mark.parametrize("seeds", numbers("small definition"))
def test_a_mutated_small_definition(seeds: tuple[int, ...], known: Projects) -> None:
    each("small definition", seeds, lambda chance: mutated_definition(known.small, known, chance))


@pytest.mark.parametrize("seeds", numbers("whole definition"))
def test_a_mutated_whole_definition(seeds: tuple[int, ...], known: Projects) -> None:
    each("whole definition", seeds, lambda chance: mutated_definition(known.whole, known, chance))


@pytest.mark.parametrize("seeds", numbers("code"))
def test_mutated_code(seeds: tuple[int, ...], known: Projects) -> None:
    def look(chance: random.Random) -> None:
        project = chance.choice([one for one in known.small if one.modules])
        module, code = chance.choice([*project.modules.items()])
        project.file.write_text(project.text, encoding="utf-8")
        module.write_text(mutate_code(code, chance), encoding="utf-8")
        try:
            examined(project.file)
        finally:
            module.write_text(code, encoding="utf-8")

    each("code", seeds, look)


@pytest.mark.parametrize("seeds", numbers("bytes"))
def test_mutated_bytes(seeds: tuple[int, ...], known: Projects) -> None:
    def look(chance: random.Random) -> None:
        project = chance.choice(known.small)
        project.file.write_bytes(mutate_bytes(project.text, chance))
        with contextlib.suppress(DefinitionError), contextlib.redirect_stdout(io.StringIO()):
            assert run(project.file, Format.JSON, strict=True) in (0, 1, 2)

    each("bytes", seeds, look)


def test_what_is_mutated_is_good_itself(known: Projects) -> None:
    for project in known.small + known.whole:
        project.file.write_text(project.text, encoding="utf-8")
        examine(load_template(project.file))
        project.write(project.tree)
        examine(load_template(project.file))

    fixtures = {path.stem for path in (OSLS / "fixtures").glob("*.yml")}
    assert fixtures < {one.name for one in known.small}

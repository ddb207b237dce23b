"""LocalStack's internals are touched in one package, and each place says why and until when."""

from __future__ import annotations

import ast
import re
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import pytest

from scripts import localstack_patches
from scripts.localstack_patches import FIELDS, ROOT, Entry, entries, page, touches_localstack

ENTRIES = entries()
SOURCES = [
    file
    for folder in ("bootstrap", "functions", "emulator", "scripts")
    for file in (ROOT / folder).rglob("*.py")
    if not file.is_relative_to(localstack_patches.PACKAGE)
]
ENTRY_POINTS = list(distribution("trigger-stack-localstack").entry_points)


def test_no_other_package_imports_localstack() -> None:
    assert len(SOURCES) > 100
    others = [
        file.relative_to(ROOT).as_posix()
        for file in SOURCES
        if touches_localstack(ast.parse(file.read_text(encoding="utf-8")))
    ]

    assert others == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.module)
def test_each_module_says_what_why_until_when_and_which_test(entry: Entry) -> None:
    assert [name for name in FIELDS if entry.fields.get(name)] == list(FIELDS)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.module)
def test_the_test_that_it_names_is_there(entry: Entry) -> None:
    named = re.findall(r"``(tests/[\w/]+\.py)(?:::(\w+))?``", entry.fields["Test"])

    assert named, entry.fields["Test"]
    for file, test in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in source, f"{file} has no {test}"


def test_the_page_is_up_to_date() -> None:
    """When this fails: make docs."""
    assert localstack_patches.PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("entry_point", ENTRY_POINTS, ids=lambda one: one.name)
def test_every_entry_point_can_be_loaded(entry_point: EntryPoint) -> None:
    assert entry_point.load() is not None


def test_every_entry_point_is_in_the_package() -> None:
    """Read from the file: installed metadata may be older."""
    text = Path(ROOT / "emulator/plugin/pyproject.toml").read_text(encoding="utf-8")
    values = re.findall(r'= "(trigger_stack\.[\w.]+):', text)

    assert len(values) == len(ENTRY_POINTS) > 10
    assert [value for value in values if not value.startswith("trigger_stack.localstack.")] == []

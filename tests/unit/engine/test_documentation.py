"""Files and functions that docs/engine.md names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = ROOT / "emulator/engine/trigger_stack_engine"
PLUGIN = ROOT / "emulator/plugin/trigger_stack"
TEXT = (ROOT / "docs/engine.md").read_text()
WALK = "".join(
    TEXT.partition(f"## The way of one {what}")[2].partition("\n## ")[0]
    for what in ("HTTP request", "S3 upload")
)
SOURCES = {file: file.read_text() for root in (CODE, PLUGIN) for file in root.rglob("*.py")}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/]+\.py)`", WALK))))
def test_a_named_file_is_there(name: str) -> None:
    assert (CODE / name).is_file() or (ROOT / name).is_file()


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`([A-Za-z_]+\.[a-z_]+)`", WALK)) - {"server.py"})
)
def test_a_named_function_is_there(name: str) -> None:
    """``Class.method``, or ``module.function``."""
    owner, _, function = name.partition(".")
    if function == "py":
        return
    defines = re.compile(
        rf"^(async )?def {function}\(|^    (async )?def {function}\(", re.MULTILINE
    )
    places = [
        file
        for file, text in SOURCES.items()
        if defines.search(text)
        and (file.stem == owner or re.search(rf"^class {owner}\b", text, re.MULTILINE))
    ]

    assert places, f"docs/engine.md names {name}, which is gone"


def test_every_call_of_the_table_is_answered() -> None:
    named = set(re.findall(r"`([a-z_]+)`", TEXT.partition("| Call |")[2].partition("\n\n")[0]))
    from_localstack = {
        name for name in re.findall(r"def _op_(\w+)", SOURCES[CODE / "engine.py"]) if name
    }

    assert from_localstack - {"describe", "debug", "hot_reload"} <= named


def test_both_ways_are_there() -> None:
    assert WALK.count("\n1. ") == 2

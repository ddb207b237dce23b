"""The vision part is one list: in the plugin's extra, and locked."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def names(lines: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9][\w.-]*", line.strip()) for line in lines)
    return {match[0].lower() for match in found if match}


def test_the_extra_and_the_locked_list_agree() -> None:
    project = tomllib.loads((ROOT / "emulator/plugin/pyproject.toml").read_text())
    extra = names(project["project"]["optional-dependencies"]["vision"])
    listed = names((ROOT / "emulator/requirements-vision.in").read_text().splitlines())
    locked = names((ROOT / "emulator/requirements-vision.lock").read_text().splitlines())
    assert extra == listed
    assert extra <= locked

"""Capacity, layers, pre-imported packages, hot reload, settings."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootstrap import builds
from trigger_stack_engine.commands.logs import line
from trigger_stack_engine.environments.capacity import Capacity
from trigger_stack_engine.environments.hot_reload import MODULE_FILE, HotReload
from trigger_stack_engine.environments.layers import merged_layers
from trigger_stack_engine.environments.runtimes import Preloaded, reusable
from trigger_stack_engine.settings import SettingError, Settings


@dataclass(eq=False)
class Holder:
    idle: bool = True

    async def park(self) -> bool:
        return self.idle


def test_the_longest_idle_makes_room() -> None:
    async def work() -> None:
        capacity = Capacity(2)
        busy, idle, third = Holder(idle=False), Holder(), Holder()

        assert await capacity.acquire(busy)
        assert await capacity.acquire(idle)
        assert await capacity.acquire(third)
        third.idle = False
        assert not await capacity.acquire(Holder())
        capacity.release(busy)
        assert await capacity.acquire(Holder())

    asyncio.run(work())


def test_a_later_layer_wins(tmp_path: Path) -> None:
    for name, text in (("one", "1"), ("two", "2")):
        (tmp_path / name / "python").mkdir(parents=True)
        (tmp_path / name / "python" / "same.py").write_text(text)
        (tmp_path / name / f"only-{name}").write_text(text)

    merged = merged_layers(
        tmp_path / "merged", [(name, str(tmp_path / name)) for name in ("one", "two")]
    )

    assert (merged / "python" / "same.py").read_text() == "2"
    assert (merged / "only-one").exists()
    assert (tmp_path / "one" / "python" / "same.py").read_text() == "1"


def test_only_the_very_same_version_is_reused() -> None:
    preloaded = {
        "powertools": Preloaded("powertools", "3", {"powertools"}, {"typing", "jmespath"}),
        "typing": Preloaded("typing", "4", {"typing_x"}),
    }

    assert reusable(preloaded, {"powertools": "3", "typing": "4"}, {"jmespath"}) == set(preloaded)
    assert reusable(preloaded, {"powertools": "3", "typing": "5"}, set()) == set()
    assert reusable(preloaded, {"typing": "4"}, set()) == {"typing"}


def test_a_snapshot_follows_the_tree(tmp_path: Path) -> None:
    package, root = tmp_path / "package", tmp_path / "root"
    for base in (package, root):
        (base / "functions" / "a").mkdir(parents=True)
        (base / "functions" / "a" / "handler.py").write_text(base.name)
    (root / "functions" / "b").mkdir()
    (root / "functions" / "b" / "other.py").write_text("not a's")
    (root / "functions" / "a" / "deeper").mkdir()
    (root / "functions" / "a" / "deeper" / "new.py").write_text("new")
    reload = HotReload(tmp_path / "hot")

    assert reload.code_for(package) == package
    reload.root = root
    first = reload.code_for(package)
    assert (first / "functions/a/handler.py").read_text() == "root"
    assert (first / "functions/a/deeper/new.py").exists()
    assert not (first / "functions/b").exists()
    assert reload.code_for(package) == first
    os.utime(root / "functions/a/handler.py", (1, 1))
    assert reload.code_for(package) != first


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAMBDA_PROCESS_ZYGOTE", "maybe"),
        ("LAMBDA_PROCESS_INIT_TIMEOUT", "soon"),
        ("LAMBDA_PROCESS_INIT_TIMEOUT", "0"),
        ("LAMBDA_PROCESS_ISOLATION", "total"),
    ],
)
def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingError, match=name):
        Settings.from_environment("/tmp")


def test_a_log_line_cannot_drive_the_terminal() -> None:
    assert "\033" not in line(0, "f", "\033[2Jgone\n", colours=False)


def test_a_package_of_one_folder_is_reloaded_from_that_folder(tmp_path: Path) -> None:
    package, root = tmp_path / "package", tmp_path / "project"
    for folder, text in ((package, "old"), (root / "orders", "new"), (root, "another's")):
        folder.mkdir(exist_ok=True, parents=True)
        (folder / "index.py").write_text(text)
    (package / MODULE_FILE).write_text("orders")
    reload = HotReload(tmp_path / "snapshots")

    reload.set_root(str(root))

    assert (reload.code_for(package) / "index.py").read_text() == "new"


def test_the_bootstrap_marks_packages_as_the_engine_knows_them() -> None:
    assert builds._MODULE_FILE == MODULE_FILE

"""The collector rests while the emulator starts, and begins when what it preloads is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import localstack

CHECK = """
import gc, os, threading, time
from trigger_stack.localstack import garbage, preload

os.environ["PRELOAD_SERVICES"] = "no-such-service"
garbage.rest()
assert not gc.isenabled()
preload.preload_services()
for thread in threading.enumerate():
    if thread.name == "preload-services":
        thread.join(60)
assert gc.isenabled()
assert gc.get_threshold() == garbage.THRESHOLDS
assert gc.get_freeze_count() > 100_000, gc.get_freeze_count()
kept = gc.get_freeze_count()
class Node: pass
node = Node(); node.itself = node
del node
assert gc.collect() >= 1
assert gc.get_freeze_count() == kept
"""


def test_it_rests_and_begins_though_a_service_cannot_be_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECK], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_localstack_still_does_nothing_about_it() -> None:
    folder = Path(next(iter(localstack.__path__)))

    assert [file for file in folder.rglob("*.py") if "gc.freeze" in file.read_text()] == []

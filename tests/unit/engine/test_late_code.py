"""The runtime's modules that read the environment are loaded before the fork and run after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, shutil, sys
from trigger_stack_engine.environments.zygote.preload import preload, run_late_code

folder, own = sys.argv[1:]
preload(["awslambdaric"], [folder])
os.environ["SEEN"] = "after"
shutil.rmtree(folder)  # nothing is read any longer
if own:
    del sys.modules["awslambdaric"]
    sys.path.insert(0, own)
run_late_code()
from awslambdaric import bootstrap
print(bootstrap.SEEN)
"""


def package(folder: Path, seen: str) -> Path:
    """A runtime of which ``bootstrap.SEEN`` is ``seen``."""
    (folder / "awslambdaric").mkdir(parents=True)
    for name, text in (
        ("__init__", ""),
        ("lambda_runtime_client", "import os\n"),
        ("bootstrap", f"from .lambda_runtime_client import os\nSEEN = {seen}\n"),
    ):
        (folder / f"awslambdaric/{name}.py").write_text(text)
    return folder


def seen(folder: Path, own: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(own or "")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_late_code_sees_the_environment_of_the_child(tmp_path: Path) -> None:
    assert seen(package(tmp_path / "runtime", "os.environ['SEEN']")) == "after"


def test_a_function_with_a_runtime_of_its_own_gets_that(tmp_path: Path) -> None:
    runtime = package(tmp_path / "runtime", "os.environ['SEEN']")

    assert seen(runtime, package(tmp_path / "own", "'own'")) == "own"

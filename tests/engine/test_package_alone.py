"""The engine beside LocalStack, with nothing else of this project: as its README says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.engine.lambda_stack import ITS_START, PYTHON, ROOT, runtimes_dir, start_stack

ENGINE, PLUGIN = ROOT / "emulator/engine", ROOT / "emulator/plugin"
README = (ENGINE / "README.md").read_text()
OURS = re.compile(r"trigger_stack")


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with LocalStack's packages, and the executor built and installed."""
    venv = tmp_path_factory.mktemp("alone") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    packages = venv / f"lib/{PYTHON}/site-packages"
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        # Editable installs are .pth files; the links stand for `pip install localstack-core`.
        if entry.suffix != ".pth" and not OURS.match(entry.name.replace("-", "_")):
            (packages / entry.name).symlink_to(entry)
    subprocess.run(
        [
            ROOT / ".venv/bin/uv", "pip", "install", "--quiet", "--offline", "--no-deps",
            "--no-build-isolation", "--python", sys.executable, "--target", packages,
            ENGINE, PLUGIN,
        ],
        check=True,
    )  # fmt: skip
    return venv / "bin/python"


def said(*command: object) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd="/",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_found_by_its_entry_point(interpreter: Path) -> None:
    code = """
from importlib.metadata import entry_points
from importlib.util import find_spec
points = entry_points(group="localstack.lambda.runtime_executor", name="process")
assert find_spec("bootstrap") is None
print([point.load().name for point in points])
import trigger_stack_engine
print(trigger_stack_engine.__file__)
"""

    name, file = said(interpreter, "-c", code).splitlines()

    assert name == "['process']"
    assert file.startswith(str(interpreter.parents[1]))


def test_a_function_runs(interpreter: Path, tmp_path: Path) -> None:
    stack = start_stack(tmp_path / "state", python=str(interpreter), module=ITS_START)
    try:
        name = stack.create(
            "import boto3\ndef handler(event, context): print('said'); return boto3.__name__"
        )
        assert stack.invoke(name).value == "boto3"
        stack.messages(name, until="REPORT")
        endpoint = f"http://127.0.0.1:{stack.port}"
        module = "trigger_stack_engine.commands"
        lines = said(
            interpreter, "-m", f"{module}.logs", "--no-follow", "--endpoint", endpoint,
            "--function", name,
        )  # fmt: skip
        assert " said\n" in lines
        assert "debugpy" in said(
            interpreter, "-m", f"{module}.debug", name, "--no-wait", "--endpoint", endpoint
        )
        assert "Traceback" not in stack.log
    finally:
        stack.stop(signal.SIGKILL)


def test_the_readme_names_what_there_is() -> None:
    settings = (ENGINE / "trigger_stack_engine/settings.py").read_text()
    read = set(re.findall(r'"(LAMBDA_PROCESS_\w+)"', settings))
    documented = set(re.findall(r"^\| `(LAMBDA_PROCESS_\w+)`", README, re.MULTILINE))
    assert read == documented

    tools = set(re.findall(r"python -m (trigger_stack_engine\.commands\.\w+)", README))
    assert tools == {f"trigger_stack_engine.commands.{name}" for name in ("logs", "watch", "debug")}
    for tool in tools:
        options = said(sys.executable, "-m", tool, "--help")
        shown = re.search(rf"`python -m {re.escape(tool)} ([^`]*)`", README)
        assert shown is not None
        for option in re.findall(r"--[a-z-]+", shown[1]):
            assert option in options


def test_the_readmes_installation_is_complete() -> None:
    """`install.sh <uv> <interpreter> <folder>`, which does nothing when all is there."""
    assert "emulator/python-runtime/install.sh" in README
    folder = runtimes_dir()
    before = (folder / PYTHON).stat().st_mtime_ns
    said(
        ROOT / "emulator/python-runtime/install.sh",
        ROOT / ".venv/bin/uv",
        Path(sys.executable).resolve(),
        folder,
    )
    assert (folder / PYTHON).stat().st_mtime_ns == before

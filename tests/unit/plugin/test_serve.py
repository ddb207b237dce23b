"""The emulator's process ends when LocalStack has shut down."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: A LocalStack whose threads would keep the process for a minute.
FAKE = """
import sys, threading, time, types
module = types.ModuleType("localstack.runtime.main")
def main():
    threading.Thread(target=time.sleep, args=(60,)).start()
    print("its last line")
    {end}
module.main = main
sys.modules["localstack.runtime.main"] = module
from trigger_stack.localstack.serve import main
main()
"""


@pytest.mark.parametrize(
    ("end", "code"), [("sys.exit(3)", 3), ("sys.exit(0)", 0), ("sys.exit()", 0), ("return", 0)]
)
def test_it_ends_at_once_with_localstacks_code(end: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAKE.format(end=end)],
        capture_output=True,
        text=True,
        timeout=30,  # less than the thread's minute
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (code, "its last line\n", "")

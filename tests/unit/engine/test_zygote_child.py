"""A forked process has its three channels, whatever numbers they had in its parent."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import pytest

from trigger_stack_engine.environments.zygote.child import API_FD, LOG_FD, STATUS_FD

#: In a process with one thread, as the parent of environments has: forks, and says what came.
PARENT = """
import json, os, sys
from trigger_stack_engine.environments.zygote import child

class NoSandbox:
    def confine(self, job): pass

ends = []
for number in map(int, sys.argv[1:]):
    reading, writing = os.pipe()
    os.dup2(writing, number)
    os.close(writing)
    ends.append((reading, number))
job = {"_fds": [fd for _, fd in ends], "env": {}, "cwd": "/", "rlimits": {}, "argv": None}
pid = os.fork()
if pid == 0:
    code = 1
    try:
        child.become(job, NoSandbox())
        os.write(1, b"log")
        os.write(child.API_FD, b"api")
        code = 0
    finally:
        os._exit(code)
for _, number in ends:
    os.close(number)
_, ended = os.waitpid(pid, 0)
said = [os.read(reading, 100).decode() for reading, _ in ends]
print(json.dumps([os.waitstatus_to_exitcode(ended), *said]))
"""


@pytest.mark.parametrize("numbers", list(itertools.permutations((LOG_FD, API_FD, STATUS_FD))))
def test_the_channels_are_told_apart(numbers: tuple[int, ...]) -> None:
    """With a thousand environments the parent's descriptors have the numbers of the child's."""
    done = subprocess.run(
        [sys.executable, "-c", PARENT, *map(str, numbers)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    code, log, status, api = json.loads(done.stdout)
    assert (code, log, api) == (0, "log", "api")
    assert status == "", "closed without a word: the process is ready"

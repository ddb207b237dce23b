"""A forked process has its three channels, whatever numbers they had in its parent."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from trigger_stack_engine.environments.zygote import child
from trigger_stack_engine.environments.zygote.child import API_FD, LOG_FD, STATUS_FD

NUMBERS = (LOG_FD, API_FD, STATUS_FD)


class NoSandbox:
    """Isolates nothing."""

    def confine(self, job: dict[str, Any]) -> None:
        """Nothing to do."""


@pytest.fixture
def kept() -> Iterator[list[int]]:
    """Descriptors to close."""
    made: list[int] = []
    yield made
    for fd in made:
        os.close(fd)


def pipe_at(number: int, kept: list[int]) -> tuple[int, int]:
    """A pipe whose writing end has this number; the reading end, and that number."""
    reading, writing = os.pipe()
    os.dup2(writing, number)
    os.close(writing)
    kept.append(reading)
    return reading, number


@pytest.mark.parametrize("numbers", list(itertools.permutations(NUMBERS)))
def test_the_channels_are_told_apart(numbers: tuple[int, ...], kept: list[int]) -> None:
    """With a thousand environments the parent's descriptors have the numbers of the child's."""
    ends = [pipe_at(number, kept) for number in numbers]
    (log, log_fd), (status, status_fd), (api, api_fd) = ends
    job = {
        "_fds": (log_fd, status_fd, api_fd),
        "env": {},
        "cwd": "/",
        "rlimits": {},
        "argv": None,
    }
    pid = os.fork()
    if pid == 0:  # no assertion here: pytest would go on in two processes
        code = 1
        try:
            child.become(job, NoSandbox())  # type: ignore[arg-type]  # all that it is asked for
            os.write(1, b"log")
            os.write(API_FD, b"api")
            code = 0
        finally:
            os._exit(code)
    for _, number in ends:
        os.close(number)
    _, ended = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(ended) == 0
    assert os.read(log, 100) == b"log"
    assert os.read(api, 100) == b"api"
    assert os.read(status, 100) == b"", "closed without a word: the process is ready"

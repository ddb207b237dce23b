"""The worker process: there when needed, never longer than the emulator."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.rekognition.emulator_process import MODELS, Emulator, is_running
from tests.rekognition.sample_pictures import photo
from tests.support.waiting import eventually

Start = Callable[..., Emulator]


def labels(emulator: Emulator) -> list[dict[str, Any]]:
    client = emulator.client("rekognition")
    found: list[dict[str, Any]] = client.detect_labels(Image={"Bytes": photo("cat")})["Labels"]
    return found


def test_no_worker_before_the_first_picture_and_one_after(own_emulator: Start) -> None:
    emulator = own_emulator()
    client = emulator.client("rekognition")
    for refused in ({}, {"Bytes": b""}):
        try:
            client.detect_labels(Image=refused)
        except client.exceptions.InvalidParameterException:
            assert emulator.workers() == []
    labels(emulator)
    labels(emulator)
    assert len(emulator.workers()) == 1


def test_a_killed_worker_is_replaced(emulator: Emulator) -> None:
    before = labels(emulator)
    (worker,) = emulator.workers()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not is_running(worker))
    assert labels(emulator) == before
    assert emulator.workers() != [worker]


def wait_for_a_picture(worker: int) -> None:
    """Until a picture lies in the pipe of a worker that was stopped."""

    def unread() -> int:
        with Path(f"/proc/{worker}/fd/0").open("rb", buffering=0) as pipe:
            return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)

    eventually(unread)


@contextmanager
def killed_with_a_picture_before_it(
    emulator: Emulator, worker: int
) -> Iterator[Future[list[dict[str, Any]]]]:
    """A call whose picture reaches a worker that never looks at it."""
    os.kill(worker, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(labels, emulator)
        wait_for_a_picture(worker)
        os.kill(worker, signal.SIGKILL)
        yield call


def test_a_worker_killed_between_two_pictures_costs_nothing(emulator: Emulator) -> None:
    before = labels(emulator)
    (worker,) = emulator.workers()
    with killed_with_a_picture_before_it(emulator, worker) as call:
        assert call.result() == before


def test_a_picture_that_ends_two_workers_is_an_error(emulator: Emulator) -> None:
    before = labels(emulator)
    (worker,) = emulator.workers()
    with killed_with_a_picture_before_it(emulator, worker) as call:
        (second,) = eventually(lambda: [pid for pid in emulator.workers() if pid != worker])
        os.kill(second, signal.SIGKILL)
        error = call.exception()
    assert isinstance(error, ClientError)
    assert error.response["Error"]["Code"] == "InternalServerError"
    assert labels(emulator) == before


def test_the_worker_ends_with_an_emulator_that_is_stopped(own_emulator: Start) -> None:
    emulator = own_emulator()
    labels(emulator)
    (worker,) = emulator.workers()
    emulator.stop()
    eventually(lambda: not is_running(worker))


def test_the_worker_ends_with_an_emulator_that_is_killed(own_emulator: Start) -> None:
    emulator = own_emulator()
    labels(emulator)
    (worker,) = emulator.workers()
    emulator.process.kill()
    emulator.process.wait()
    eventually(lambda: not is_running(worker))


def watches_a_process(pid: int) -> bool:
    """Whether a process holds a file descriptor of a process (pidfd)."""
    links = []
    for path in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):
            links.append(str(path.readlink()))
    return any("pidfd" in link for link in links)


PARENT = """
import subprocess, sys
worker = subprocess.Popen(
    [sys.executable, "-m", "trigger_stack.rekognition.worker", sys.argv[1]],
    stdin=int(sys.argv[2]), stdout=subprocess.DEVNULL,
)
print(worker.pid, flush=True)
worker.wait()
"""


def test_the_worker_ends_with_its_parent_even_if_the_pipe_stays_open() -> None:
    """A process that the emulator forked may have inherited the pipe and outlive the emulator."""
    reading, writing = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(MODELS), str(reading)],
        pass_fds=[reading],
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(reading)
    assert parent.stdout
    worker = int(parent.stdout.readline())
    eventually(lambda: watches_a_process(worker))
    parent.kill()
    parent.communicate()
    try:
        eventually(lambda: not is_running(worker))
    finally:
        os.close(writing)

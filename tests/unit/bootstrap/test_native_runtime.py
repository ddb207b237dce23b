"""The emulator as a process: its environment, its pid file, and ports that others have."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bootstrap.commands import shell
from bootstrap.errors import EXIT_FAILED, WrongUseError
from bootstrap.runtime import native
from bootstrap.settings import Settings, port

SETTINGS = Settings(gateway_port=4911, http_api_port=4912, region="us-east-1")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".trigger-stack").mkdir()
    for name in ("GATEWAY_HOST", "LS_LOG", "GATEWAY_LISTEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def child() -> Iterator[psutil.Process]:
    """A process that sleeps until it is ended."""
    started = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"],
                               stdin=subprocess.PIPE)  # fmt: skip
    yield psutil.Process(started.pid)
    started.kill()
    started.wait()


def remember(pid: int, created: float) -> None:
    native.PID_FILE.write_text(f"{pid} {created}")


def test_everything_is_kept_in_the_state_folder_and_on_loopback(tmp_path: Path) -> None:
    made = native.environment(SETTINGS, tmp_path)

    assert made["GATEWAY_LISTEN"] == "127.0.0.1:4911"
    assert made["HTTP_API_PORT"] == "4912"
    for name in ("FILESYSTEM_ROOT", "LOCALSTACK_VOLUME_DIR", "TMPDIR", "XDG_CACHE_HOME"):
        assert Path(made[name]).is_relative_to(tmp_path), name


def test_what_the_user_set_wins_over_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LS_LOG", "debug")
    monkeypatch.setenv("LAMBDA_RETRY_BASE_DELAY", "60")

    made = native.environment(SETTINGS, tmp_path)

    assert (made["LS_LOG"], made["LAMBDA_RETRY_BASE_DELAY"]) == ("debug", "60")


def test_but_not_over_what_makes_it_this_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_LISTEN", "0.0.0.0:4566")

    assert native.environment(SETTINGS, tmp_path)["GATEWAY_LISTEN"] == "127.0.0.1:4911"


def test_the_journal_and_mails_outlive_the_run(tmp_path: Path) -> None:
    state, engine = tmp_path / ".trigger-stack", tmp_path / ".trigger-stack/tmp/lambda-process"
    (engine / "mail").mkdir(parents=True)
    (engine / "run-1").mkdir()
    (state / "volume").mkdir()
    (state / "link").symlink_to(tmp_path)
    kept = ["journal.sqlite-wal", "mail/a.eml", "mail/a.json"]
    for name in (*kept[1:], "journal.previous.sqlite", "run-1/x", "../other", "../../volume/y"):
        (engine / name).write_text("")
    with contextlib.closing(sqlite3.connect(engine / "journal.sqlite")) as journal:
        journal.execute("CREATE TABLE event (state TEXT)")
        journal.executemany("INSERT INTO event VALUES (?)", [["pending"], ["done"], ["pending"]])
        journal.commit()

    assert native._without_end(state) == 2
    (engine / kept[0]).write_text("")
    native._clear(state)

    left = sorted(str(one.relative_to(engine)) for one in state.rglob("*") if one.is_file())
    assert left == ["journal.sqlite", *kept]
    assert [one.name for one in state.iterdir()] == ["tmp"]
    (engine / "journal.sqlite").write_text("damaged" * 1000)
    assert native._without_end(state) == 0


def test_nothing_runs_without_a_pid_file() -> None:
    assert native.running() is None
    assert native.stop(SETTINGS) is False


def test_the_process_that_was_started(child: psutil.Process) -> None:
    remember(child.pid, child.create_time())

    found = native.running()

    assert found is not None
    assert found.pid == child.pid


def test_a_process_id_that_now_is_another_programs(child: psutil.Process) -> None:
    remember(child.pid, child.create_time() - 3600)

    assert native.running() is None
    assert native.stop(SETTINGS) is False
    assert child.is_running(), "a stranger was ended"
    assert not native.PID_FILE.exists()


@pytest.mark.parametrize("content", ["", "x", "1", "1 2 3", "-1 0", f"{2**70} 0", "1 nan"])
def test_a_pid_file_that_means_nothing(content: str) -> None:
    native.PID_FILE.write_text(content)

    assert native.running() is None


def test_a_pid_file_that_is_not_text() -> None:
    native.PID_FILE.write_bytes(b"\xff\xfe\x00")

    assert native.running() is None


def test_a_process_that_ended(child: psutil.Process) -> None:
    remember(child.pid, child.create_time())
    child.kill()
    child.wait()

    assert native.running() is None


def test_stop_ends_the_whole_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_STOP_SECONDS", 1)  # the grandchild does not end by itself
    code = (
        "import subprocess, sys; "
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        "print(p.pid, flush=True); p.wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    grandchild = psutil.Process(int(parent.stdout.readline()))
    remember(parent.pid, psutil.Process(parent.pid).create_time())

    assert native.stop(SETTINGS) is True

    parent.wait()
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE
    assert not native.PID_FILE.exists()


def test_a_port_that_another_program_has() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]

        with pytest.raises(native.PortTakenError) as caught:
            native._check_port("GATEWAY_PORT", number)

    sentence = str(caught.value)
    assert f"Port {number} is in use" in sentence
    assert f"(process {os.getpid()})" in sentence
    assert f"make up GATEWAY_PORT={number + 1}" in sentence
    assert caught.value.exit_code == EXIT_FAILED


def test_the_last_port_has_a_way_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Taken(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(98, "Address already in use")

    monkeypatch.setattr(native.socket, "socket", Taken)

    with pytest.raises(native.PortTakenError) as caught:
        native._check_port("HTTP_API_PORT", 65535)

    assert "65536" not in str(caught.value)


def test_a_port_that_was_just_closed_is_free() -> None:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        number = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", number)):
            accepted, _ = listening.accept()
            accepted.close()  # we close first: our side waits

    native._check_port("GATEWAY_PORT", number)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "4566.0", "\u0664\u0665"])
def test_what_is_no_port(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("GATEWAY_PORT", text)

    with pytest.raises(WrongUseError, match=f"GATEWAY_PORT={text}: must be a port number"):
        port("GATEWAY_PORT", 4566)


def test_an_empty_port_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "")

    assert port("GATEWAY_PORT", 4566) == 4566


def test_what_has_ended_is_not_waited_for_until_its_parent_notices() -> None:
    unnoticed = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(unnoticed.pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        pass

    assert native._left([process], 5) == []

    unnoticed.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="a first thread that ends alone is Linux's")
def test_a_process_whose_first_thread_has_ended_still_runs() -> None:
    """Its other threads have its files and ports still."""
    code = (
        "import ctypes, threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "ctypes.PyDLL(None).pthread_exit(None)\n"
    )
    started = subprocess.Popen([sys.executable, "-c", code])
    process = psutil.Process(started.pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        assert started.poll() is None, "it has ended as a whole"

    assert native._left([process], 0) == [process]

    started.kill()
    started.wait()


def test_the_shell_knows_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execvpe", lambda *call: became.append(call))
    monkeypatch.setenv("SHELL", "/bin/some-shell")
    monkeypatch.setenv("GATEWAY_PORT", "4911")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    shell.run()

    ((program, arguments, environment),) = became
    assert (program, arguments) == ("/bin/some-shell", ["/bin/some-shell"])
    assert environment["AWS_ENDPOINT_URL"] == "http://localhost:4911"
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)

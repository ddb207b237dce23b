"""``RUNTIME=native``: LocalStack as a background process of the user."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from bootstrap.console import out
from bootstrap.errors import DeployError, TriggerStackError, WrongUseError
from bootstrap.gateway import healthy
from bootstrap.runtime import catalog
from bootstrap.settings import Settings

STATE = Path(".trigger-stack")
PID_FILE = STATE / "emulator.pid"
LOG_FILE = STATE / "emulator.log"
#: Where the engine has its files, and those that outlive the emulator.
_ENGINE = Path("tmp", "lambda-process")
_OUTLIVES = ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "mail")
_PENDING = "SELECT accepted_at, kind, source, function, id FROM events WHERE state = 'pending'"
_PREVIOUS = f"{STATE / _ENGINE}/journal.previous.sqlite"
_SHOW_THEM = f'.venv/bin/python -m sqlite3 {_PREVIOUS} "{_PENDING}"'
_START_SECONDS = 120
#: Nothing of a stack that stops is kept: what has not ended in order by then is killed.
_STOP_SECONDS = 1
_KILL_SECONDS = 5


class PortTakenError(TriggerStackError):
    """Another program has a port that the stack needs."""


def environment(settings: Settings, state: Path) -> dict[str, str]:
    """Environment of the emulator: what the user set, over this stack's defaults."""
    host = os.environ.get("GATEWAY_HOST", "127.0.0.1")
    defaults = {
        # moto makes a client without credentials: on EC2 it would get the machine's own, elsewhere
        # it waits for an address that does not exist.
        "AWS_EC2_METADATA_DISABLED": "true",
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
        "GATEWAY_SERVER": "interface",
        # AWS waits 60 seconds, which is too long while trying a trigger. See README, differences.
        "LAMBDA_RETRY_BASE_DELAY": "1",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "LS_LOG": "warn",
        # A network needs EC2's backend, and nothing here runs its hundreds of machine images.
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
        # The two that take longest; loading more at once only takes turns with what is asked for.
        "PRELOAD_SERVICES": "lambda,dynamodb",
        "PROVIDER_OVERRIDE_DYNAMODB": "v2",
        "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }
    fixed = {
        "FILESYSTEM_ROOT": str(state),
        "GATEWAY_LISTEN": f"{host}:{settings.gateway_port}",
        "HTTP_API_PORT": str(settings.http_api_port),
        "LOCALSTACK_HOST": f"localhost:{settings.gateway_port}",
        "LOCALSTACK_VOLUME_DIR": str(state / "volume"),
        "SMTP_PORT": str(settings.smtp_port),
        # A machine that looks like a container (many CI runners do) is none: LocalStack would
        # write to /var/lib/localstack.
        "OVERRIDE_IN_DOCKER": "0",
        # LocalStack and its libraries write to both; nothing may be left outside this folder.
        "TMPDIR": str(state / "tmp"),
        "XDG_CACHE_HOME": str(state / "cache"),
    }
    return {**defaults, **os.environ, **fixed}


def running() -> psutil.Process | None:
    """The emulator that this folder started, if it runs."""
    try:
        pid_text, started_text = PID_FILE.read_text().split()
        process = psutil.Process(int(pid_text))
        # A process id may have been given to another program since.
        if abs(process.create_time() - float(started_text)) < 1 and _runs(process):
            return process
    except (FileNotFoundError, ValueError, psutil.Error):
        pass
    return None


def start(
    settings: Settings, *, quiet: bool = False, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Start the emulator and wait until it answers.

    Args:
        meanwhile: what can be done while it boots.

    Raises:
        PortTakenError: a port is in use by another program.
        DeployError: it ended or did not answer in time; the message has the end of its log.
        WrongUseError: Java is missing.
    """
    if running():
        if healthy(settings):
            if not quiet:
                out.print(f"the stack runs already at {settings.endpoint_url}")
            return
        stop(settings)
    if shutil.which("java") is None:
        raise WrongUseError(
            "Java is missing: DynamoDB Local needs 17 or newer. Install it, for example: "
            "apt-get install default-jre-headless (make doctor lists everything)."
        )
    for name, port in (
        ("GATEWAY_PORT", settings.gateway_port),
        ("HTTP_API_PORT", settings.http_api_port),
        ("SMTP_PORT", settings.smtp_port),
    ):
        _check_port(name, port)
    state = STATE.resolve()
    crashed = PID_FILE.exists()
    _clear(state)
    without_end = _without_end(state) if crashed else 0
    (state / "tmp").mkdir(parents=True, exist_ok=True)
    catalog.provide(state)
    began = time.monotonic()
    with LOG_FILE.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "trigger_stack.localstack.serve"],
            env=environment(settings, state),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    PID_FILE.write_text(f"{process.pid} {psutil.Process(process.pid).create_time()}\n")
    with out.status("starting LocalStack"):
        meanwhile()
        _wait(process, settings)
    out.print(f"LocalStack answers at {settings.endpoint_url} ({time.monotonic() - began:.1f} s)")
    if without_end:
        out.print(
            f"The last run was killed before {without_end} accepted events had an end. Received"
            f" mails go on; show them all:\n  {_SHOW_THEM}",
            markup=False,
        )


def _clear(state: Path) -> None:
    """Remove what the last run left, but for its journal and the mails that it had not finished.

    The engine puts the journal aside; the mails are resumed.
    """
    kept = state / _ENGINE
    for path in [one for folder in (state, kept.parent, kept) for one in folder.glob("*")]:
        if path in (kept.parent, kept) or (path.parent == kept and path.name in _OUTLIVES):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _without_end(state: Path) -> int:
    """How many accepted events the journal of the last run has that have no end."""
    journal = state / _ENGINE / "journal.sqlite"
    try:
        with contextlib.closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as file:
            (count,) = file.execute("SELECT count(*) FROM event WHERE state = 'pending'").fetchone()
    except sqlite3.Error:
        return 0  # no journal, or a damaged one
    return int(count)


def _wait(process: subprocess.Popen[bytes], settings: Settings) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            PID_FILE.unlink(missing_ok=True)
            raise DeployError(f"LocalStack ended with {process.returncode}:\n{_log_end()}")
        if healthy(settings) and _http_api_answers(settings):
            return
        time.sleep(0.05)
    stop(settings)
    raise DeployError(
        f"LocalStack did not answer within {_START_SECONDS} s. End of its log:\n{_log_end()}"
    )


def _http_api_answers(settings: Settings) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", settings.http_api_port)) == 0


def _log_end(lines: int = 20) -> str:
    text = LOG_FILE.read_text(errors="replace") if LOG_FILE.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def _check_port(name: str, port: int) -> None:
    with socket.socket() as probe:
        # As servers do: a connection that is still closing must not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            other = port + 1 if port < 65535 else port - 1
            raise PortTakenError(
                f"Port {port} is in use{_owner(port)} ({error.strerror}). End that program, or "
                f"choose another port: {name}={other} in .env, or make up {name}={other}."
            ) from None


def _owner(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.laddr
                and connection.laddr.port == port
                and connection.status == psutil.CONN_LISTEN
                and connection.pid
            ):
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return ""


def stop(settings: Settings) -> bool:
    """End the emulator and everything it started.

    Returns:
        Whether there was one.
    """
    process = running()
    if process is None:
        PID_FILE.unlink(missing_ok=True)
        return False
    family = _family(process)
    process.send_signal(signal.SIGTERM)
    _left(family, _STOP_SECONDS)
    # Parents first, and those that were started meanwhile too: nothing is to be started again.
    everybody = dict.fromkeys([*family, *_family(process)])
    for leftover in _left(everybody, 0):
        with contextlib.suppress(psutil.NoSuchProcess):
            leftover.kill()
    _left(everybody, _KILL_SECONDS)
    PID_FILE.unlink(missing_ok=True)
    return True


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return [process]


def _left(family: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run after ``seconds``, or none as soon as there is none.

    Not ``psutil.wait_procs``: it waits for the ended too, until their parent has taken notice.
    """
    deadline = time.monotonic() + seconds
    left = [process for process in family if _runs(process)]
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [process for process in left if _runs(process)]
    return left


def _runs(process: psutil.Process) -> bool:
    """Also one whose first thread has ended while another still has its files and ports."""
    try:
        ended = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
        return process.is_running() and not ended
    except psutil.NoSuchProcess:
        return False

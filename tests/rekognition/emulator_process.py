"""A LocalStack of its own for the tests and the benchmark of Rekognition."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config

from tests.support.booting import BOOT_SECONDS, boot_turn, provide_index
from tests.support.folders import temporary_folder
from tests.support.ports import free_port
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
MODELS = Path(os.environ.get("REKOGNITION_MODEL_DIR") or ROOT / ".build" / "vision")
REGION = "us-east-1"


def children(pid: int) -> list[int]:
    """Process ids of the direct children of a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@dataclass
class Emulator:
    """A running LocalStack; ``port`` is that of the AWS API."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client that calls once and checks nothing by itself."""
        return boto3.client(
            service,  # type: ignore[call-overload]  # the stubs want a literal
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name=region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(
                retries={"total_max_attempts": 1},
                read_timeout=300,  # many requests at once on a machine that does other things
                parameter_validation=False,
                max_pool_connections=64,
            ),
        )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def workers(self) -> list[int]:
        """Process ids of the vision workers."""
        return [
            pid
            for pid in children(self.process.pid)
            if "trigger_stack.rekognition.worker" in command_line(pid) and is_running(pid)
        ]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_emulator(folder: Path, models: Path = MODELS) -> Emulator:
    """Start LocalStack with its state in a folder and wait until it answers."""
    port = free_port()
    environment = os.environ | {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "FILESYSTEM_ROOT": str(folder),
        "OVERRIDE_IN_DOCKER": "0",  # LocalStack uses the folder above outside containers only
        # All LocalStacks of a machine share both otherwise, and each clears them at its start.
        "TMPDIR": str(temporary_folder(folder)),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
        "HTTP_API_PORT": str(free_port()),
        "SMTP_PORT": "",
        "REKOGNITION_MODEL_DIR": str(models),
    }
    provide_index(folder)
    with boot_turn():
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "trigger_stack.localstack.serve"],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        emulator = Emulator(port, folder, process)

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"LocalStack ended at once:\n{emulator.log}")
            with suppress(requests.ConnectionError):
                url = f"http://127.0.0.1:{port}/_localstack/health"
                return requests.get(url, timeout=60).ok
            return False

        try:
            eventually(ready, seconds=BOOT_SECONDS)
        except BaseException:
            process.kill()
            raise
    return emulator

"""``RUNTIME=docker``, seen from the containers beside the emulator's, which Compose starts."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from bootstrap.console import out
from bootstrap.errors import DeployError
from bootstrap.gateway import healthy
from bootstrap.settings import Settings

_START_SECONDS = 120


def start(
    settings: Settings, *, quiet: bool = False, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Wait until the emulator answers.

    Args:
        meanwhile: what can be done while it boots.

    Raises:
        DeployError: it did not answer in time.
    """
    began = time.monotonic()
    waited = not _answers(settings)
    with out.status("starting LocalStack"):
        meanwhile()
        while not _answers(settings):
            if time.monotonic() - began > _START_SECONDS:
                raise DeployError(
                    f"LocalStack did not answer within {_START_SECONDS} s. Its log: "
                    "docker compose logs localstack"
                )
            time.sleep(0.05)
    if waited:
        seconds = time.monotonic() - began
        out.print(f"LocalStack answers at {settings.endpoint_url} ({seconds:.1f} s)")
    elif not quiet:
        out.print(f"the stack runs already at {settings.endpoint_url}")


def _answers(settings: Settings) -> bool:
    if not healthy(settings):
        return False
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", settings.http_api_port)) == 0

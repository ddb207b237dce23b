"""Requests to the emulator's own routes, without a library that takes long to import."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from bootstrap.settings import Settings


def request(
    settings: Settings, method: str, path: str, body: bytes | None = None, *, timeout: float
) -> tuple[int, bytes] | None:
    """The status and content of an answer; None when nothing answers.

    Args:
        path: below the address of the AWS API.
        timeout: seconds to wait for each step.
    """
    url = urlsplit(settings.endpoint_url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "localhost", url.port, timeout=timeout)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def listed(settings: Settings, path: str) -> list[dict[str, Any]]:
    """What the emulator lists at one of its own routes; nothing when another program answers."""
    answer = request(settings, "GET", path, timeout=5)
    if answer is None or answer[0] != http.client.OK:
        return []
    try:
        found: list[dict[str, Any]] = json.loads(answer[1])
    except ValueError:
        return []
    return found


def healthy(settings: Settings) -> bool:
    """Whether the emulator answers."""
    answer = request(settings, "GET", "/_localstack/health", timeout=2)
    return answer is not None and answer[0] == http.client.OK

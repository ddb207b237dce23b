"""Tells the emulator which services a run will use, before it uses them.

The emulator loads each at its first use: a second for all of the brand platform's. A run knows what
it will need half a second before its first call, for it checks the definition and imports botocore
in between. An emulator that does not run, or knows nothing of this, is not waited for.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from bootstrap.gateway import request
from bootstrap.settings import Settings

_PATH = "/_trigger_stack/preload"
_TIMEOUT_S = 1


def ask_for(services: Iterable[str], settings: Settings) -> None:
    """Ask the emulator to load services, as boto3 calls them; returns at once."""
    names = dict.fromkeys(("sts", "logs", *services))
    query = urlencode({"services": ",".join(names), "region": settings.region})
    request(settings, "GET", f"{_PATH}?{query}", timeout=_TIMEOUT_S)

"""Which requests a web page may have made, and are refused.

A page of any site can make the user's browser send requests to this machine: forms, images and
links need no permission (cross-site request forgery), and a site whose name resolves to 127.0.0.1
may even read the answers (DNS rebinding). So a request with a foreign ``Origin``, one that the
browser calls cross-site (Fetch Metadata, W3C), and one for a host name that is not this machine's
are refused on every port. Programs that are no browsers send none of these.
"""

from __future__ import annotations

import functools
import ipaddress
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

_LOCAL_SUFFIXES = (
    ".localhost",
    ".localhost.localstack.cloud",  # resolves to 127.0.0.1 by its owner's promise
    ".amazonaws.com",  # what SDKs send when only the address was changed
    ".on.aws",  # the same, of function URLs
    ".internal",  # reserved: no site can have it (host.docker.internal)
)


@dataclass(frozen=True)
class GuardSettings:
    """Hosts and origins that are allowed besides this machine.

    Attributes:
        hosts: Host names (``ALLOWED_HOSTS``); ``*`` for all.
        origins: Origins such as ``https://app.example`` (``ALLOWED_ORIGINS``); ``*`` for all.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls) -> GuardSettings:
        """Read ``ALLOWED_HOSTS`` and ``ALLOWED_ORIGINS``, lists separated by commas."""
        hosts = os.environ.get("ALLOWED_HOSTS", "")
        origins = os.environ.get("ALLOWED_ORIGINS", "")
        return cls(_names(hosts.split(",")), _names(origins.split(",")))


def _names(parts: Iterable[str]) -> frozenset[str]:
    return frozenset(part.strip().lower().rstrip("/") for part in parts if part.strip())


def refusal(
    header: Callable[[str], str | None],
    settings: GuardSettings,
    allows_origin: Callable[[str], bool] = lambda origin: False,
) -> str | None:
    """Why a request is refused: a sentence for its sender, or ``None``.

    Args:
        header: The value of a header by its lower-case name.
        settings: What is allowed besides this machine.
        allows_origin: Further origins, such as those of an API's CORS configuration.
    """
    host = header("host")
    if host is not None and not is_local_host(host) and not _is_in(_host(host), settings.hosts):
        return (
            f"Host {_host(host)!r} is not this machine. Use localhost, or name it in ALLOWED_HOSTS."
        )
    origin = header("origin")
    if origin is not None:
        if _is_local_origin(origin) or _is_in(origin, settings.origins) or allows_origin(origin):
            return None
        return (
            f"Origin {origin!r} may not use this stack: a web page could run code here. "
            "Name it in ALLOWED_ORIGINS if it is yours."
        )
    if header("sec-fetch-site") == "cross-site" and "*" not in settings.origins:
        return (
            "A page of another site made this request (Sec-Fetch-Site: cross-site). Open the "
            "address yourself, or name the site in ALLOWED_ORIGINS and let it send its Origin."
        )
    return None


def _is_in(name: str, allowed: frozenset[str]) -> bool:
    return bool(allowed) and ("*" in allowed or name.lower() in allowed)


def _host(value: str) -> str:
    """The name without the port."""
    if value.startswith("["):
        return value[1:].partition("]")[0]
    return value.partition(":")[0].lower().rstrip(".")


@functools.lru_cache(maxsize=256)
def is_local_host(value: str) -> bool:
    """Whether a ``Host`` names this machine, or cannot be a site's name."""
    name = _host(value)
    # Not resolved by public DNS: a name of one label (a container's), or one that ends in a number
    # (an IPv4 address, also as the end of a name that LocalStack makes).
    if "." not in name or name.rpartition(".")[2].isdecimal():
        return True
    return name == "localhost.localstack.cloud" or name.endswith(_LOCAL_SUFFIXES)


def _is_local_origin(origin: str) -> bool:
    try:
        name = urlsplit(origin).hostname
    except ValueError:
        return False
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False

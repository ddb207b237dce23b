"""An API's address in a stack is one that every client reaches.

What: replaces ``ChangeSetModelPreproc._perform_static_replacements``, which rewrites AWS's
addresses of APIs in the values of a template.
Why: LocalStack makes ``https://<id>.execute-api.localhost:4566/…`` of them: such names resolve in
few clients, the certificate is nobody's, and an HTTP API's address gets a second slash.
Until: LocalStack makes addresses that need no DNS.
Test: ``tests/unit/plugin/test_cloudformation_patches.py``.
"""

from __future__ import annotations

import re

from localstack import config
from localstack.services.cloudformation.engine.v2.change_set_model_preproc import (
    ChangeSetModelPreproc,
)
from localstack.utils.urls import localstack_host

_ADDRESS = re.compile(
    r"https?://(?P<api>[A-Za-z0-9]+)\.execute-api\.(?:[a-z]+-){2,3}\d\.(?P<suffix>[^/]+)(?P<path>/.*)?"
)


def reachable(value: str) -> str:
    """The address of an API at the port of this emulator, for one that is AWS's; other texts stay.

    Args:
        value: Such as ``https://abc.execute-api.us-east-1.localhost/prod``.
    """
    found = _ADDRESS.fullmatch(value)
    if (
        found is None
        or found["suffix"] not in {"amazonaws.com", localstack_host().host}
        or value in config.CFN_STRING_REPLACEMENT_DENY_LIST
    ):
        return value
    return f"{config.external_service_url()}/_aws/execute-api/{found['api']}{found['path'] or ''}"


def give_reachable_addresses() -> None:
    """Patch LocalStack."""
    ChangeSetModelPreproc._perform_static_replacements = staticmethod(reachable)  # type: ignore[method-assign]  # a patch

"""Refuses what is not part of the stack with a sentence that names what is missing.

What: a handler in ``serve_custom_service_request_handlers``, LocalStack's own list.
Why: for a service that needs a Python package which is not installed, LocalStack answers 500 with
``No module named …``; for one that its open release lacks, with a sentence about a licence, and an
empty line at level ERROR in the log.
Until: LocalStack says what is missing.
Test: ``tests/unit/plugin/test_open_release.py::test_localstack_still_needs_other_packages``.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from localstack.aws.api import CommonServiceException
from localstack.aws.handlers import serve_custom_service_request_handlers
from localstack.runtime.hooks import on_infra_start
from localstack.services.plugins import SERVICE_PLUGINS

#: Services of LocalStack whose Python package is left out: no trigger needs them.
LEFT_OUT = {"firehose": "amazon_kclpy", "stepfunctions": "antlr4"}
#: Services that are there: LocalStack looks through all that it has each time it is asked.
_known: set[str] = set()


def refusal(service: str) -> str | None:
    """Why requests to a service cannot be answered; None when they can."""
    if service in _known:
        return None
    package = LEFT_OUT.get(service)
    if package and find_spec(package) is None:
        return (
            f"The service {service} is not part of this stack: no trigger needs it, and its Python"
            f" package {package} is not installed."
        )
    if not SERVICE_PLUGINS.exists(service):
        return (
            f"The service {service} is not part of this stack: neither LocalStack's open release"
            " nor the stack's plugin has it."
        )
    _known.add(service)
    return None


def _refuse(chain: Any, context: Any, response: Any) -> None:
    """Request handler."""
    del chain, response
    if context.service is None or context.operation is None:
        return
    if reason := refusal(context.service.service_name):
        raise CommonServiceException("InternalFailure", reason, status_code=501)


@on_infra_start()
def refuse_unsupported_services() -> None:
    """Put the handler in place."""
    serve_custom_service_request_handlers.append(_refuse)

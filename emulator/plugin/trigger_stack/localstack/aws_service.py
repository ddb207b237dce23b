"""Has LocalStack answer for a service of ours.

What: LocalStack's dispatch table (operation name to handler) of a service, filled from the methods
that ``trigger_stack.services.operations`` marks.
Why: a service of ours knows nothing of LocalStack; LocalStack's own way, a provider class with its
decorators, would make each of them import it.
Until: as long as LocalStack is the control plane; its interface is the one its own providers use.
Test: ``tests/unit/plugin/test_aws_service.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.api.core import ServiceRequestHandler
from localstack.aws.skeleton import DispatchTable

from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Caller, Operation, operations


def dispatch_table(service: object) -> DispatchTable:
    """A handler for each marked operation of a service."""
    return handlers_of(operations(service))


def handlers_of(methods: Mapping[str, Operation]) -> DispatchTable:
    """A handler for each operation by its AWS name."""
    return {name: _handler(method) for name, method in methods.items()}


def as_aws_error(error: ServiceError) -> CommonServiceException:
    """The exception that LocalStack writes in the protocol of the service."""
    return CommonServiceException(
        error.code, error.message, status_code=error.status, sender_fault=error.status < 500
    )


def _handler(method: Operation) -> ServiceRequestHandler:
    def handle(context: RequestContext, request: Any) -> Any:
        try:
            return method(Caller(context.account_id, context.region), request)
        except ServiceError as error:
            raise as_aws_error(error) from error

    return handle

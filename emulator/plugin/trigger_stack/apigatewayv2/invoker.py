"""Invokes Lambda functions inside the emulator's process.

A call through the AWS API of the emulator would pass its whole request chain and a TCP
connection, which costs several times what API Gateway's own work does. Lambda's service object is
what LocalStack's own function URLs use for the same reason.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from localstack.aws.api import ServiceException
from localstack.aws.api.lambda_ import InvocationType
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.strings import long_uid
from localstack.utils.xray.trace_header import TraceHeader

from trigger_stack.apigatewayv2.message import (
    HttpError,
    internal_server_error,
    request_too_large,
)
from trigger_stack.apigatewayv2.policy import allows_invoke
from trigger_stack.apigatewayv2.validation import FunctionArn, parse_lambda_uri

if TYPE_CHECKING:
    from localstack.services.lambda_.invocation.lambda_service import LambdaService

# Lambda's modules are imported when the first function is called: this module is loaded at
# start-up, and they would make it a second longer.

LOG = logging.getLogger(__name__)

MAX_EVENT_BYTES = 6 * 1024 * 1024
"""Lambda's limit for the payload of a synchronous invocation."""


class Invoker(Protocol):
    """Calls a function and waits for its result."""

    def invoke(
        self, uri: str, payload: bytes, *, source_arn: str | None, account_id: str, trace_id: str
    ) -> bytes:
        """Invoke a function.

        :param uri: the integration's URI, stage variables already filled in
        :param payload: the event as JSON
        :param source_arn: ARN the function's policy must allow; ``None``: do not ask the policy
        :param account_id: account of the API
        :param trace_id: value of ``X-Amzn-Trace-Id``
        :returns: the function's result as JSON
        :raises HttpError: when the function cannot be called or failed
        """


class LambdaInvoker:
    """:class:`Invoker` over LocalStack's Lambda service."""

    def __init__(self) -> None:
        self._service: LambdaService | None = None

    def invoke(
        self, uri: str, payload: bytes, *, source_arn: str | None, account_id: str, trace_id: str
    ) -> bytes:
        """See :class:`Invoker`."""
        target = parse_lambda_uri(uri)
        if target is None:
            LOG.warning("HTTP API: %s is no function ARN", uri)
            raise internal_server_error()
        if len(payload) > MAX_EVENT_BYTES:
            raise request_too_large()
        if source_arn is not None and not _is_allowed(target, source_arn, account_id):
            LOG.warning(
                "HTTP API: the resource-based policy of function %s does not let "
                "apigateway.amazonaws.com invoke it for %s (lambda add-permission)",
                target.name,
                source_arn,
            )
            raise internal_server_error()
        try:
            return self._call(target, payload, trace_id)
        except HttpError:
            raise
        except ServiceException as error:
            LOG.warning("HTTP API: invoking %s failed: %s", target.name, error.message)
        except Exception:
            LOG.exception("HTTP API: invoking %s failed", target.name)
        raise internal_server_error()

    def _call(self, target: FunctionArn, payload: bytes, trace_id: str) -> bytes:
        if self._service is None:
            self._service = SERVICE_PLUGINS.require("lambda")._provider.lambda_service
        trace = TraceHeader.from_header_str(trace_id)
        result = self._service.invoke(
            function_name=target.name,
            qualifier=target.qualifier,
            region=target.region,
            account_id=target.account,
            invocation_type=InvocationType.RequestResponse,
            client_context=None,
            request_id=long_uid(),
            payload=payload,
            trace_context={"aws_trace_header": trace.ensure_root_exists()},
        )
        if result is None or result.is_error:
            raise internal_server_error()
        body: bytes | str = result.payload or b"null"
        return body.encode() if isinstance(body, str) else body


def _is_allowed(target: FunctionArn, source_arn: str, account_id: str) -> bool:
    from localstack.services.lambda_.invocation.models import lambda_stores

    function = lambda_stores[target.account][target.region].functions.get(target.name)
    if function is None:
        return False
    policy = function.permissions.get(target.qualifier or "$LATEST")
    return policy is not None and allows_invoke(
        policy.policy.Statement, arn=source_arn, account_id=account_id
    )

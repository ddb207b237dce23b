"""The service ``apigatewayv2`` of LocalStack.

What: a provider at LocalStack's extension point ``localstack.aws.provider``.
Why: the open release has no HTTP APIs; every operation would answer 501.
Until: LocalStack's open release has ``apigatewayv2``.
Test: ``tests/unit/plugin/test_open_release.py::test_the_open_release_still_lacks``.
"""

from __future__ import annotations

from localstack.services.plugins import Service, ServiceLifecycleHook
from localstack.state import StateVisitor
from localstack.utils.urls import localstack_host

from trigger_stack.localstack.apigatewayv2.store import apigatewayv2_stores, apis
from trigger_stack.localstack.aws_service import dispatch_table
from trigger_stack.services.apigatewayv2.control_plane import ControlPlane


class ApiGatewayV2Provider(ServiceLifecycleHook):
    """Shows LocalStack the state of HTTP APIs."""

    service = "apigatewayv2"

    def accept_state_visitor(self, visitor: StateVisitor) -> None:
        """Let LocalStack save, load and reset the state."""
        visitor.visit(apigatewayv2_stores)


def create_service() -> Service:
    """The service; operations that it lacks answer 501."""
    table = dispatch_table(ControlPlane(apis, localstack_host().port))
    return Service.for_provider(ApiGatewayV2Provider(), dispatch_table_factory=lambda _: table)

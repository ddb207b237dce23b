"""A plugin for each resource type, which LocalStack finds by the entry points of this package.

What: plugins at LocalStack's extension point ``localstack.cloudformation.resource_providers``.
Why: LocalStack makes only resources whose type has one.
Until: LocalStack has these types.
Test: ``tests/delivery/test_cloudformation.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
)

from trigger_stack.localstack.cloudformation.types import RESOURCE_TYPES


def plugin_name(resource_type: str) -> str:
    """The plugin's name in this module: ``ApiGatewayV2Api`` for ``AWS::ApiGatewayV2::Api``."""
    return resource_type.removeprefix("AWS::").replace("::", "")


def _plugin(resource_type: str, make: Callable[[], Any]) -> type:
    class Plugin(CloudFormationResourceProviderPlugin):
        name = resource_type

        def load(self) -> None:
            self.factory = make

    return Plugin


def _operations(index: int) -> Callable[[], Any]:
    def make() -> Any:
        from trigger_stack.localstack.cloudformation.operations import OperationsProvider

        return OperationsProvider(RESOURCE_TYPES[index])

    return make


def _custom_resource() -> Any:
    from trigger_stack.localstack.cloudformation.custom_resources import CustomResourceProvider

    return CustomResourceProvider()


for _index, _type in enumerate(RESOURCE_TYPES):
    globals()[plugin_name(_type.name)] = _plugin(_type.name, _operations(_index))
CloudFormationCustomResource = _plugin("AWS::CloudFormation::CustomResource", _custom_resource)

"""Keeps HTTP APIs where LocalStack keeps the state of its services.

What: a store of LocalStack's own class (``AccountRegionBundle``), visited as its stores are.
Why: LocalStack saves, loads and resets the contents of its stores; the open release has none for
HTTP APIs.
Until: LocalStack's open release has ``apigatewayv2``.
Test: ``tests/unit/plugin/test_open_release.py::test_the_open_release_still_lacks``.
"""

from __future__ import annotations

from typing import cast

from localstack.services.stores import AccountRegionBundle, BaseStore, CrossAccountAttribute

from trigger_stack.services.apigatewayv2.models import Api, Apis


class ApiGatewayV2Store(BaseStore):
    """HTTP APIs by id; the attribute is shared by all accounts and regions."""

    apis: dict[str, Api] = cast(dict[str, Api], CrossAccountAttribute(default=dict))


apigatewayv2_stores: AccountRegionBundle[ApiGatewayV2Store] = AccountRegionBundle(
    "apigatewayv2", ApiGatewayV2Store
)

# Any account and region will do: see ApiGatewayV2Store.
apis = Apis(lambda: apigatewayv2_stores["000000000000"]["us-east-1"].apis)

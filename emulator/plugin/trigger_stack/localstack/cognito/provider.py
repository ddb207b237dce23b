"""The service ``cognito-idp`` of LocalStack: moto's control plane, and a data plane of our own.

What: a provider at LocalStack's extension point ``localstack.aws.provider``. Pools, clients, groups
and reading users go to moto; sign-up, sign-in, passwords and tokens are answered by
``services/cognito``, with moto's pools and users as the directory. A handler in
``run_custom_response_handlers``, LocalStack's own list, gives the engine the keys of pools.
Why: the open release has no user pools. moto calls no triggers, accepts every code, keeps
passwords as they are, and signs the tokens of every pool with one published key.
Until: LocalStack's open release has ``cognito-idp`` with triggers.
Test: ``tests/unit/plugin/test_cognito_provider.py``.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable
from typing import Any

from botocore.validate import ParamValidator
from localstack.aws.api import RequestContext
from localstack.aws.api.core import ServiceRequestHandler
from localstack.aws.forwarder import create_aws_request_context
from localstack.aws.handlers import run_custom_response_handlers
from localstack.aws.skeleton import DispatchTable, Skeleton
from localstack.aws.spec import load_service
from localstack.services.edge import ROUTER
from localstack.services.moto import call_moto
from localstack.services.plugins import Service

from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack import moto_data, schedules
from trigger_stack.localstack.aws_service import as_aws_error, dispatch_table
from trigger_stack.localstack.cognito.directory import MotoDirectory
from trigger_stack.localstack.cognito.functions import LocalFunctions, traced
from trigger_stack.localstack.cognito.post import LocalPost
from trigger_stack.localstack.cognito.routes import PoolRoutes
from trigger_stack.localstack.lambda_engine.control_plane import control_plane
from trigger_stack.services.cognito.directory import find_user
from trigger_stack.services.cognito.pools import check_client, check_pool
from trigger_stack.services.cognito.service import UserPools
from trigger_stack.services.cognito.tokens import issuer
from trigger_stack.services.errors import ServiceError
from trigger_stack_engine.wire import ConnectionLostError, RemoteError

LOG = logging.getLogger(__name__)
SERVICE = "cognito-idp"


def create_service() -> Service:
    """The service for LocalStack's ``localstack.aws.provider`` entry point."""
    moto_data.install_user_pools()
    model = load_service(SERVICE)
    directory = MotoDirectory()
    pools = UserPools(
        directory,
        LocalFunctions(),
        LocalPost(),
        lambda: schedules.scheduler().clock.now().timestamp(),
    )
    table: DispatchTable = dict.fromkeys(model.operation_names, _call_moto)
    table |= {
        "CreateUserPool": _checked(check_pool),
        "UpdateUserPool": _checked(check_pool),
        "CreateUserPoolClient": _checked(check_client),
        "UpdateUserPoolClient": _checked(check_client),
        "SetUserPoolMfaConfig": _set_mfa,
    }
    for name in model.operation_names:
        shape: Any = model.operation_model(name).input_shape
        if name.startswith("Admin") and {"UserPoolId", "Username"} <= shape.members.keys():
            table[name] = _by_username(directory, name)
    for part in pools.parts:
        table |= {name: _traced(handler) for name, handler in dispatch_table(part).items()}
    for name, handler in table.items():
        if handler is not _call_moto:
            table[name] = _validated(model.operation_model(name), handler)
    run_custom_response_handlers.append(Keys(directory, pools).push_changes)
    ROUTER.add(PoolRoutes(directory, pools.core.tokens))
    return Service(SERVICE, skeleton=Skeleton(model, table))


class Keys:
    """Tells the engine the keys of every pool.

    Args:
        directory: Knows the pools.
        pools: Has their keys.
    """

    def __init__(self, directory: MotoDirectory, pools: UserPools) -> None:
        self._directory = directory
        self._pools = pools

    def push_changes(self, chain: Any, context: Any, response: Any) -> None:
        """Response handler: a pool's tokens are accepted before its maker has an answer."""
        del chain, response
        if context.service is None or context.service.service_name != SERVICE:
            return
        if context.operation is None or context.operation.name not in (
            "CreateUserPool",
            "DeleteUserPool",
        ):
            return
        if context.operation.name == "DeleteUserPool" and context.service_request:
            deleted = str(context.service_request.get("UserPoolId"))
            if all(pool.id != deleted for pool in self._directory.pools()):
                self._pools.forget(deleted)
        try:
            control_plane().push("user_pools", self._describe)
        except (ConnectionLostError, EngineUnavailableError, RemoteError) as error:
            LOG.warning("the engine could not be told of a change of user pools: %s", error)

    def _describe(self) -> dict[str, Any]:
        jwks = self._pools.core.tokens.jwks
        return {issuer(pool.id): jwks(pool.id) for pool in self._directory.pools()}


def _call_moto(context: RequestContext, request: Any) -> Any:
    return call_moto(context)


def _validated(operation: Any, handler: ServiceRequestHandler) -> ServiceRequestHandler:
    """Refuse a request that has not the shape of its operation; LocalStack lets it pass."""

    def handle(context: RequestContext, request: Any) -> Any:
        given = _without_nulls(request)
        problem = ""
        try:
            json.dumps(given, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            problem = "a text is no UTF-8"
        report = ParamValidator().validate(given, operation.input_shape)
        if problem or report.has_errors():
            message = f"1 validation error detected: {problem or report.generate_report()}"
            raise as_aws_error(ServiceError("InvalidParameterException", message[:1000]))
        return handler(context, request)

    return handle


def _without_nulls(value: Any) -> Any:
    """A request without its members that are null: they count as missing."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def _traced(handler: ServiceRequestHandler) -> ServiceRequestHandler:
    def handle(context: RequestContext, request: Any) -> Any:
        with traced(context):
            return handler(context, request)

    return handle


def _by_username(directory: MotoDirectory, operation: str) -> ServiceRequestHandler:
    """Have moto find a user by an alias, or by a name in other letters where the pool lets it."""

    def handle(context: RequestContext, request: Any) -> Any:
        try:
            pool = directory.pool(context.account_id, context.region, request["UserPoolId"])
        except ServiceError:
            return call_moto(context)
        user = find_user(pool, request["Username"])
        if user is None or user.username == request["Username"]:
            return call_moto(context)
        asked = create_aws_request_context(
            service_name=SERVICE,
            action=operation,
            protocol="json",
            parameters={**_without_nulls(request), "Username": user.username},
            region=context.region,
        )
        headers = copy.deepcopy(context.request.headers)
        headers.update(asked.request.headers)
        # moto reads account and region there.
        headers["Authorization"] = context.request.headers.get("Authorization", "")
        asked.request.headers = headers
        return call_moto(asked)

    return handle


def _checked(check: Callable[[Any], None]) -> ServiceRequestHandler:
    def handle(context: RequestContext, request: Any) -> Any:
        try:
            check(request)
        except ServiceError as error:
            raise as_aws_error(error) from error
        return call_moto(context)

    return handle


def _set_mfa(context: RequestContext, request: Any) -> Any:
    """Off is what there is; anything else is refused."""
    if request.get("MfaConfiguration", "OFF") != "OFF":
        message = "Multi-factor authentication is not part of this stack."
        raise as_aws_error(ServiceError("UnsupportedFeature", message))
    return call_moto(context)

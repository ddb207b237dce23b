"""The engine knows every deployed REST API and every usage plan.

What: a handler in ``run_custom_response_handlers``, LocalStack's own list, tells the engine which
REST APIs there are; it reads LocalStack's store (``internal_deployments``, ``active_deployments``)
and moto's backend (stages, usage plans, keys). After ``ImportRestApi`` and ``PutRestApi``, which
CloudFormation calls for a ``Body``, it puts the document's gateway responses into the store.
Why: the engine must know of a change before its caller has an answer; LocalStack's own data plane
checks no authorizers, signatures or resource policies, and its import does not read
``x-amazon-apigateway-gateway-responses``.
Until: as long as the engine answers for REST APIs; LocalStack imports gateway responses.
Test: ``tests/engine/test_rest_api.py``, ``tests/engine/test_rest_api_templates.py``,
``tests/unit/plugin/test_mapping_templates.py``.
"""

from __future__ import annotations

import json
import logging
import re
import weakref
from typing import Any

from localstack.aws.api.apigateway import GatewayResponseType
from localstack.services.apigateway.helpers import ModelResolver
from localstack.services.apigateway.models import RestApiDeployment, apigateway_stores
from localstack.services.apigateway.next_gen.execute_api.gateway_response import (
    DEFAULT_GATEWAY_RESPONSES,
    build_gateway_response,
)
from localstack.services.apigateway.next_gen.execute_api.moto_helpers import (
    get_usage_plan_keys,
    get_usage_plans,
)
from localstack.utils.json import parse_json_or_yaml
from localstack.utils.strings import to_str
from moto.apigateway.models import apigateway_backends

from trigger_stack.localstack.apigateway import integration_answers, operations, velocity
from trigger_stack.localstack.lambda_engine.control_plane import control_plane
from trigger_stack.services.apigateway import open_api

LOG = logging.getLogger(__name__)

_CHANGES = re.compile(
    r"(Create|Update|Delete|Put|Import)(Stage|Deployment|RestApi|UsagePlan|UsagePlanKey|ApiKeys?)"
    r"|FlushStageAuthorizersCache"
)
_IMPORTS = ("ImportRestApi", "PutRestApi")
_STAGE = (
    "accessLogSettings",
    "canarySettings",
    "deploymentId",
    "methodSettings",
    "stageName",
    "variables",
)
_API = ("id", "binaryMediaTypes", "apiKeySource")
_documents: weakref.WeakKeyDictionary[RestApiDeployment, dict[str, Any]] = (
    weakref.WeakKeyDictionary()
)


def push_changes(chain: Any, context: Any, response: Any) -> None:
    """Response handler: what an operation changed is served before its caller has an answer."""
    del chain, response
    if context.service is None or context.service.service_name != "apigateway":
        return
    operations.install()
    # TestInvokeMethod renders templates and chooses answers, and no request was there before it.
    velocity.install()
    integration_answers.install()
    if context.operation is None or not _CHANGES.fullmatch(context.operation.name):
        return
    if context.operation.name in _IMPORTS and context.service_exception is None:
        import_gateway_responses(context)
    control_plane().push("rest_apis", describe)


def import_gateway_responses(context: Any) -> None:
    """Put the gateway responses of an imported OpenAPI document into LocalStack's store.

    Args:
        context: Of an ``ImportRestApi`` or ``PutRestApi`` that succeeded.
    """
    found = open_api.gateway_responses(_document(context))
    store = apigateway_stores[context.account_id][context.region]
    container = store.rest_apis.get(context.service_response["id"])
    if container is None:
        return
    # Merging is what PutRestApi does when it is not told.
    if (
        context.operation.name == "PutRestApi"
        and context.service_request.get("mode") == "overwrite"
    ):
        container.gateway_responses.clear()
    for name, settings in found.items():
        if name not in DEFAULT_GATEWAY_RESPONSES:
            LOG.warning("REST API: %s is no gateway response type and is ignored", name)
            continue
        kind = GatewayResponseType(name)
        container.gateway_responses[kind] = build_gateway_response(
            kind,
            status_code=settings["statusCode"],
            response_parameters=settings["responseParameters"],
            response_templates=settings["responseTemplates"],
            default_response=False,
        )


def _document(context: Any) -> Any:
    """The OpenAPI document of a request, which LocalStack has read already."""
    body = context.service_request["body"]
    try:
        body.seek(0)
        return parse_json_or_yaml(to_str(body.read()))
    except Exception:  # LocalStack's parser has no class for what it raises
        LOG.warning("REST API: an imported document cannot be read", exc_info=True)
        return None


def describe() -> dict[str, Any]:
    """``{apis, usage_plans}`` as ``RestApis.replace`` of the engine takes it."""
    # Any account and region will do: deployments are shared by all of them.
    deployments = apigateway_stores["000000000000"]["us-east-1"].internal_deployments
    apis = [_describe_api(api_id, dict(found)) for api_id, found in list(deployments.items())]
    return {"apis": [api for api in apis if api is not None], "usage_plans": _usage_plans()}


def _describe_api(api_id: str, found: dict[str, RestApiDeployment]) -> dict[str, Any] | None:
    if not found:
        return None
    one = next(iter(found.values()))
    backend = apigateway_backends[one.account_id][one.region]
    api = next((api for key, api in backend.apis.items() if key.lower() == api_id), None)
    if api is None:
        return None
    stages = [stage.to_json() for stage in list(api.stages.values())]
    return {
        "id": api_id,
        "name": api.name,
        "account": one.account_id,
        "region": one.region,
        "disabled": str(api.disableExecuteApiEndpoint).lower() == "true",
        "stages": [
            {
                **{key: stage.get(key) for key in _STAGE},
                "authorizersFlushed": operations.flushed[api.id, str(stage.get("stageName"))],
            }
            for stage in stages
        ],
        "deployments": {key: _describe_deployment(value) for key, value in found.items()},
    }


def _describe_deployment(deployment: RestApiDeployment) -> dict[str, Any]:
    if deployment in _documents:  # a deployment never changes
        return _documents[deployment]
    api = deployment.rest_api
    attributes: Any = api.rest_api or {}
    resolved = {name: ModelResolver(api, name).get_resolved_model() for name in api.models}
    document = {
        "api": {
            **{key: attributes.get(key) for key in _API},
            "policy": _policy(attributes.get("policy")),
        },
        "resources": [
            {key: resource.get(key) for key in ("id", "path", "resourceMethods")}
            for resource in api.resources.values()
        ],
        "authorizers": api.authorizers,
        "validators": api.validators,
        "models": {name: model for name, model in resolved.items() if model is not None},
        "gateway_responses": api.gateway_responses,
    }
    _documents[deployment] = document
    return document


def _policy(text: Any) -> Any:
    """A resource policy; API Gateway's model has it as escaped JSON."""
    if not text or not isinstance(text, str):
        return text or None
    for candidate in (text, text.replace('\\"', '"').replace("\\/", "/")):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    LOG.warning("the resource policy of a REST API is no JSON: nobody may call the API")
    return {"Statement": []}


def _usage_plans() -> list[dict[str, Any]]:
    plans = []
    for account, regions in apigateway_backends.items():
        for region, backend in regions.items():
            for plan in get_usage_plans(account, region):
                keys = [
                    backend.keys[one["id"]].to_json()
                    for one in get_usage_plan_keys(str(plan["id"]), account, region)
                    if one["id"] in backend.keys
                ]
                plans.append({**plan, "keys": keys})
    return plans

"""Amazon API Gateway: REST APIs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ReplacementError,
    ResourceType,
    found,
    gone,
    outcome_of,
    subset,
)
from bootstrap.template import Physical

_MARK = "sha256:"
_NOT_FOUND = "NotFoundException"


def _lower_first(value: Any) -> Any:
    """CloudFormation's names to the API's: ``HttpMethod`` → ``httpMethod``."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _lower_first(entry) for key, entry in value.items()}
    return [_lower_first(entry) for entry in value] if isinstance(value, list) else value


def _items(operation: Callable[..., Any], **arguments: Any) -> list[dict[str, Any]]:
    """All items of a listing, over all its pages."""
    items: list[dict[str, Any]] = []
    position: dict[str, str] = {}
    while True:
        page = operation(limit=500, **arguments, **position)
        items.extend(page.get("items", []))
        if not page.get("position"):
            return items
        position = {"position": page["position"]}


def _api(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    wanted = {
        "name": properties["Name"],
        "description": properties.get("Description"),
        "binaryMediaTypes": properties.get("BinaryMediaTypes", []),
        "apiKeySource": properties.get("ApiKeySourceType", "HEADER"),
        "disableExecuteApiEndpoint": properties.get("DisableExecuteApiEndpoint", False),
        "endpointConfiguration": _lower_first(
            properties.get("EndpointConfiguration", {"Types": ["EDGE"]})
        ),
        "minimumCompressionSize": properties.get("MinimumCompressionSize"),
        "policy": json.dumps(properties["Policy"]) if properties.get("Policy") else None,
        "tags": {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])},
    }
    named = [api for api in _items(gateway.get_rest_apis) if api["name"] == wanted["name"]]
    if not named:
        api = gateway.create_rest_api(**_without_nothing(wanted))
        return Outcome.CREATED, _api_values(api)
    api = named[0]
    changes = [
        *_replaced(api, "description", wanted["description"] or ""),
        *_replaced(api, "apiKeySource", wanted["apiKeySource"]),
        *_replaced(api, "disableExecuteApiEndpoint", wanted["disableExecuteApiEndpoint"]),
    ]
    if _policy(api.get("policy")) != _policy(wanted["policy"]):
        changes.append({"op": "replace", "path": "/policy", "value": wanted["policy"] or ""})
    before, after = set(api.get("binaryMediaTypes") or []), set(wanted["binaryMediaTypes"])
    for op, names in (("remove", before - after), ("add", after - before)):
        for name in sorted(names):
            path = "/binaryMediaTypes/" + name.replace("~", "~0").replace("/", "~1")
            changes.append({"op": op, "path": path})
    if changes:
        gateway.update_rest_api(restApiId=api["id"], patchOperations=changes)
    return outcome_of(False, bool(changes)), _api_values(api)


def _api_values(api: dict[str, Any]) -> Physical:
    return Physical(api["id"], {"RootResourceId": api["rootResourceId"], "RestApiId": api["id"]})


def _replaced(actual: dict[str, Any], name: str, wanted: Any) -> list[dict[str, str]]:
    """The patch that sets one value, or none when it is set."""
    if (actual.get(name) or "") == (wanted or ""):
        return []
    text = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
    return [{"op": "replace", "path": f"/{name}", "value": text}]


def _policy(text: str | None) -> Any:
    """A policy to compare; the API returns it with escapes."""
    if not text:
        return None
    for candidate in (text, text.replace('\\"', '"').replace("\\/", "/")):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    return text


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, [], {})}


def _resource(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    api, parent, part = properties["RestApiId"], properties["ParentId"], properties["PathPart"]
    for item in _items(gateway.get_resources, restApiId=api):
        if item.get("parentId") == parent and item.get("pathPart") == part:
            return Outcome.UNCHANGED, Physical(item["id"], {"ResourceId": item["id"]})
    made = gateway.create_resource(restApiId=api, parentId=parent, pathPart=part)
    return Outcome.CREATED, Physical(made["id"], {"ResourceId": made["id"]})


def _method(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    place = {
        "restApiId": properties["RestApiId"],
        "resourceId": properties["ResourceId"],
        "httpMethod": properties["HttpMethod"],
    }
    resource = gateway.get_resource(
        restApiId=place["restApiId"], resourceId=place["resourceId"], embed=["methods"]
    )
    existing = (resource.get("resourceMethods") or {}).get(place["httpMethod"])
    wanted = _wanted_method(properties)
    if existing is not None:
        if subset(wanted, _comparable(existing)) and _no_more(wanted, existing):
            return Outcome.UNCHANGED, Physical(logical_id)
        gateway.delete_method(**place)
    gateway.put_method(
        **place,
        **{k: v for k, v in wanted.items() if k not in ("methodIntegration", "methodResponses")},
    )
    for status, response in wanted["methodResponses"].items():
        gateway.put_method_response(**place, statusCode=status, **_without_status(response))
    integration = dict(wanted["methodIntegration"])
    responses = integration.pop("integrationResponses", {})
    if "httpMethod" in integration:
        integration["integrationHttpMethod"] = integration.pop("httpMethod")
    gateway.put_integration(**place, **integration)
    for status, response in responses.items():
        gateway.put_integration_response(**place, statusCode=status, **_without_status(response))
    return outcome_of(existing is None, True), Physical(logical_id)


def _without_status(response: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in response.items() if key != "statusCode"}


def _wanted_method(properties: Properties) -> dict[str, Any]:
    """A method in the API's shape, as ``GetResource`` shows it."""
    given = _lower_keys(properties)
    integration = _lower_keys(given.get("integration") or {})
    if "integrationHttpMethod" in integration:
        integration["httpMethod"] = integration.pop("integrationHttpMethod")
    responses = [_lower_keys(one) for one in integration.pop("integrationResponses", [])]
    if responses:
        integration["integrationResponses"] = {str(one["statusCode"]): one for one in responses}
    method_responses = [_lower_keys(one) for one in given.get("methodResponses") or []]
    return {
        **{
            key: given[key]
            for key in (
                *("authorizationScopes", "authorizerId", "operationName", "requestModels"),
                "requestValidatorId",
            )
            if given.get(key)
        },
        "authorizationType": given["authorizationType"],
        "apiKeyRequired": given.get("apiKeyRequired", False),
        "requestParameters": given.get("requestParameters") or {},
        "methodIntegration": integration,
        "methodResponses": {str(one["statusCode"]): one for one in method_responses},
    }


def _lower_keys(mapping: dict[str, Any]) -> dict[str, Any]:
    """Names of one level only: below it are headers and templates."""
    return {key[:1].lower() + key[1:]: value for key, value in mapping.items()}


def _comparable(existing: dict[str, Any]) -> dict[str, Any]:
    """A method as it was put: whether a parameter is required may come back as text."""
    parameters = existing.get("requestParameters") or {}
    shown = {name: str(value).lower() == "true" for name, value in parameters.items()}
    return {"apiKeyRequired": False, **existing, "requestParameters": shown}


def _no_more(wanted: dict[str, Any], existing: dict[str, Any]) -> bool:
    """Whether a method has nothing that the definition has no longer."""
    names = ("authorizationScopes", "authorizerId", "requestModels", "requestValidatorId")
    integration = existing.get("methodIntegration") or {}
    timeout = integration.get("timeoutInMillis")
    return (
        all(wanted.get(name) or not existing.get(name) for name in names)
        and len(existing.get("requestParameters") or {}) == len(wanted["requestParameters"])
        and ("timeoutInMillis" in wanted["methodIntegration"] or timeout in (None, 29_000, "29000"))
    )


def _authorizer(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    api = properties["RestApiId"]
    wanted = {
        key[:1].lower() + key[1:]: value for key, value in properties.items() if key != "RestApiId"
    }
    wanted["providerARNs"] = wanted.pop("providerARNs", [])
    wanted = _without_nothing(wanted)
    named = (
        item
        for item in _items(gateway.get_authorizers, restApiId=api)
        if item["name"] == wanted["name"]
    )
    existing = next(named, None)
    if existing is None:
        made = gateway.create_authorizer(restApiId=api, **wanted)
        return Outcome.CREATED, Physical(made["id"])
    if existing["type"] != wanted["type"]:
        raise ReplacementError(
            f"the authorizer {wanted['name']} exists with the type {existing['type']}, which cannot"
            " be changed. Give it another name."
        )
    defaults = {"authorizerResultTtlInSeconds": 300, "identityValidationExpression": ""}
    changes = [
        patch
        for name, value in (defaults | wanted).items()
        if not isinstance(value, list)
        for patch in _replaced(defaults | existing, name, value)
    ]
    if changes:
        gateway.update_authorizer(
            restApiId=api, authorizerId=existing["id"], patchOperations=changes
        )
    return outcome_of(False, bool(changes)), Physical(existing["id"])


def _validator(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    api = properties["RestApiId"]
    wanted = {
        "name": properties.get("Name", logical_id),
        "validateRequestBody": properties.get("ValidateRequestBody", False),
        "validateRequestParameters": properties.get("ValidateRequestParameters", False),
    }
    for item in _items(gateway.get_request_validators, restApiId=api):
        if item.get("name") == wanted["name"]:
            changes = [
                patch
                for name in ("validateRequestBody", "validateRequestParameters")
                for patch in _replaced(item, name, wanted[name])
            ]
            if changes:
                gateway.update_request_validator(
                    restApiId=api, requestValidatorId=item["id"], patchOperations=changes
                )
            return outcome_of(False, bool(changes)), Physical(item["id"])
    made = gateway.create_request_validator(restApiId=api, **wanted)
    return Outcome.CREATED, Physical(made["id"])


def _model(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    api, name = properties["RestApiId"], properties.get("Name", logical_id)
    schema = properties.get("Schema") or {}
    text = schema if isinstance(schema, str) else json.dumps(schema)
    known = [one for one in _items(gateway.get_models, restApiId=api) if one["name"] == name]
    if known:
        if json.loads(known[0].get("schema") or "{}") == json.loads(text):
            return Outcome.UNCHANGED, Physical(name)
        patch = {"op": "replace", "path": "/schema", "value": text}
        gateway.update_model(restApiId=api, modelName=name, patchOperations=[patch])
        return Outcome.CHANGED, Physical(name)
    gateway.create_model(
        restApiId=api,
        name=name,
        contentType=properties.get("ContentType", "application/json"),
        description=properties.get("Description", ""),
        schema=text,
    )
    return Outcome.CREATED, Physical(name)


def _gateway_response(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    place = {"restApiId": properties["RestApiId"], "responseType": properties["ResponseType"]}
    wanted = {
        "responseParameters": properties.get("ResponseParameters", {}),
        "responseTemplates": properties.get("ResponseTemplates", {}),
        **({"statusCode": properties["StatusCode"]} if "StatusCode" in properties else {}),
    }
    current = found(lambda: gateway.get_gateway_response(**place), _NOT_FOUND) or {}
    is_own = not current.get("defaultResponse", True)
    if is_own and subset(wanted, current):
        return Outcome.UNCHANGED, Physical(place["responseType"])
    gateway.put_gateway_response(**place, **wanted)
    return outcome_of(not is_own, True), Physical(place["responseType"])


# -- deployments -------------------------------------------------------------------------------


def _state(gateway: Any, api: str) -> str:
    """What a deployment would hold, as a digest: it says whether there is anything to deploy."""
    attributes = gateway.get_rest_api(restApiId=api)
    parts: list[Any] = [
        {key: attributes.get(key) for key in ("binaryMediaTypes", "apiKeySource", "policy")},
        gateway.get_gateway_responses(restApiId=api).get("items", []),
    ]
    for operation, more in (
        (gateway.get_resources, {"embed": ["methods"]}),
        (gateway.get_authorizers, {}),
        (gateway.get_request_validators, {}),
        (gateway.get_models, {}),
    ):
        items = _items(operation, restApiId=api, **more)
        parts.append(sorted(json.dumps(one, sort_keys=True, default=str) for one in items))
    text = json.dumps(parts, sort_keys=True, default=str)
    return _MARK + hashlib.sha256(text.encode()).hexdigest()


def _deployed(gateway: Any, api: str, stage: str) -> str | None:
    """The digest of what a stage serves; ``None`` when there is no such stage."""
    for one in gateway.get_stages(restApiId=api).get("item", []):
        if one["stageName"] == stage:
            deployment = gateway.get_deployment(restApiId=api, deploymentId=one["deploymentId"])
            return str(deployment.get("description", ""))
    return None


def _deployment(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    api, stage = properties["RestApiId"], properties["StageName"]
    state = f"{properties.get('Description', '')} {_state(gateway, api)}".strip()
    served = _deployed(gateway, api, stage)
    if state != served:
        gateway.create_deployment(restApiId=api, stageName=stage, description=state)
    logged = _access_log(gateway, api, stage, properties.get("StageDescription", {}))
    return outcome_of(served is None, state != served, logged), Physical(stage)


def _access_log(gateway: Any, api: str, stage: str, description: Properties) -> bool:
    """Set or remove the access log of a stage; whether something changed."""
    log = _lower_first(description.get("AccessLogSetting", {}))
    known = gateway.get_stage(restApiId=api, stageName=stage).get("accessLogSettings") or {}
    if log:
        # API Gateway writes the ARN without what stands for all streams.
        log["destinationArn"] = log["destinationArn"].removesuffix(":*")
        changes = [
            {"op": "replace", "path": f"/accessLogSettings/{name}", "value": value}
            for name, value in log.items()
            if known.get(name) != value
        ]
    else:
        changes = [{"op": "remove", "path": "/accessLogSettings"}] if known else []
    if changes:
        gateway.update_stage(restApiId=api, stageName=stage, patchOperations=changes)
    return bool(changes)


def _redeploy(gateway: Any, api: str) -> None:
    """What was taken away is no longer served, either."""
    state = _state(gateway, api)
    resources = _items(gateway.get_resources, restApiId=api, embed=["methods"])
    has_methods = any(one.get("resourceMethods") for one in resources)
    for one in gateway.get_stages(restApiId=api).get("item", []):
        served = _deployed(gateway, api, one["stageName"]) or ""
        if _MARK in served and not has_methods:  # an API without methods cannot be deployed
            gateway.delete_stage(restApiId=api, stageName=one["stageName"])
        elif _MARK in served and not served.endswith(state):
            text = served.partition(_MARK)[0] + state
            gateway.create_deployment(restApiId=api, stageName=one["stageName"], description=text)


# -- API keys ----------------------------------------------------------------------------------


def _api_key(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    name = properties.get("Name", f"{context.service}-{logical_id}")
    enabled = properties.get("Enabled", False)
    known = [one for one in _items(gateway.get_api_keys, includeValues=True) if one["name"] == name]
    if not known:
        given = _lower_keys(properties)
        more = {key: given[key] for key in ("value", "description", "customerId") if key in given}
        made = gateway.create_api_key(name=name, enabled=enabled, **more)
        return Outcome.CREATED, Physical(made["id"], {"APIKeyId": made["id"]})
    key = known[0]
    if properties.get("Value", key["value"]) != key["value"]:
        raise ReplacementError(
            f"the API key {name} exists with another value, which cannot be changed. Give it"
            " another name."
        )
    changes = [
        *_replaced(key, "enabled", enabled),
        *_replaced(key, "description", properties.get("Description")),
    ]
    if changes:
        gateway.update_api_key(apiKey=key["id"], patchOperations=changes)
    return outcome_of(False, bool(changes)), Physical(key["id"], {"APIKeyId": key["id"]})


def _usage_plan(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    wanted = {
        "name": properties.get("UsagePlanName", logical_id),
        "description": properties.get("Description"),
        "apiStages": [
            {"apiId": one["ApiId"], "stage": one["Stage"]}
            for one in properties.get("ApiStages", [])
        ],
        "throttle": _lower_first(properties.get("Throttle")),
        "quota": _lower_first(properties.get("Quota")),
    }
    known = [one for one in _items(gateway.get_usage_plans) if one["name"] == wanted["name"]]
    if not known:
        made = gateway.create_usage_plan(**_without_nothing(wanted))
        return Outcome.CREATED, Physical(made["id"], {"Id": made["id"]})
    plan = known[0]
    changes = _replaced(plan, "description", wanted["description"])
    for part in ("throttle", "quota"):
        given, actual = wanted[part] or {}, plan.get(part) or {}
        if actual and not given:
            changes.append({"op": "remove", "path": f"/{part}"})
        for name, value in given.items():
            if (
                float(actual.get(name, -1)) != float(value)
                if name != "period"
                else (actual.get(name) != value)
            ):
                changes.append({"op": "replace", "path": f"/{part}/{name}", "value": str(value)})
    served = [(one["apiId"], one["stage"]) for one in plan.get("apiStages") or []]
    changes += [
        {"op": "add", "path": "/apiStages", "value": f"{one['apiId']}:{one['stage']}"}
        for one in wanted["apiStages"]
        if (one["apiId"], one["stage"]) not in served
    ]
    if changes:
        gateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=changes)
    return outcome_of(False, bool(changes)), Physical(plan["id"], {"Id": plan["id"]})


def _usage_plan_key(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    gateway = context.client("apigateway")
    plan, key = properties["UsagePlanId"], properties["KeyId"]
    if any(one["id"] == key for one in _items(gateway.get_usage_plan_keys, usagePlanId=plan)):
        return Outcome.UNCHANGED, Physical(f"{key}:{plan}")
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType=properties["KeyType"])
    return Outcome.CREATED, Physical(f"{key}:{plan}")


# -- what is no longer described ---------------------------------------------------------------


def _api_keys_of(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"restApiId": physical.ref}]


def _resource_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"restApiId": properties["RestApiId"], "resourceId": physical.ref}]


def _method_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [
        {
            "restApiId": properties["RestApiId"],
            "resourceId": properties["ResourceId"],
            "httpMethod": properties["HttpMethod"],
        }
    ]


def _authorizer_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"restApiId": properties["RestApiId"], "authorizerId": physical.ref}]


def _plan_key_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"usagePlanId": properties["UsagePlanId"], "keyId": properties["KeyId"]}]


def _remover(operation: str, *, redeploy: bool = False) -> Callable[[Context, Key], bool]:
    def remove(context: Context, key: Key) -> bool:
        gateway = context.client("apigateway")
        was_there = gone(lambda: getattr(gateway, operation)(**key), _NOT_FOUND)
        if was_there and redeploy:
            gone(lambda: _redeploy(gateway, key["restApiId"]), _NOT_FOUND)
        return was_there

    return remove


_TEXTS = shapes.list_of(shapes.text)
_TEXT_MAP = shapes.mapping_of(shapes.text)
_INTEGRATION = shapes.mapping(
    {"Type": shapes.one_of("AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK")},
    {
        "ContentHandling": shapes.text,
        "Credentials": shapes.text,
        "IntegrationHttpMethod": shapes.text,
        "IntegrationResponses": shapes.list_of(
            shapes.mapping(
                {"StatusCode": shapes.text},
                {
                    "ContentHandling": shapes.text,
                    "ResponseParameters": _TEXT_MAP,
                    "ResponseTemplates": _TEXT_MAP,
                    "SelectionPattern": shapes.text,
                },
            )
        ),
        "PassthroughBehavior": shapes.text,
        "RequestParameters": _TEXT_MAP,
        "RequestTemplates": _TEXT_MAP,
        "TimeoutInMillis": shapes.number(50, 29_000),
        "Uri": shapes.text,
    },
)

RESOURCE_TYPES = {
    "AWS::ApiGateway::RestApi": ResourceType(
        _api,
        shapes.all_as_aws("Name"),
        {
            **shapes.all_as_aws(
                "BinaryMediaTypes", "Description", "DisableExecuteApiEndpoint", "Policy", "Tags"
            ),
            "ApiKeySourceType": shapes.one_of("HEADER", "AUTHORIZER"),
            "EndpointConfiguration": shapes.mapping({"Types": _TEXTS}),
            "MinimumCompressionSize": shapes.number(0, 10_485_760),
        },
        keys=_api_keys_of,
        remove=_remover("delete_rest_api"),
    ),
    "AWS::ApiGateway::Resource": ResourceType(
        _resource,
        shapes.all_as_aws("ParentId", "PathPart", "RestApiId"),
        keys=_resource_keys,
        remove=_remover("delete_resource", redeploy=True),
    ),
    "AWS::ApiGateway::Method": ResourceType(
        _method,
        shapes.all_as_aws("AuthorizationType", "HttpMethod", "ResourceId", "RestApiId"),
        {
            **shapes.all_as_aws(
                "ApiKeyRequired",
                "AuthorizationScopes",
                "AuthorizerId",
                "MethodResponses",
                "OperationName",
                "RequestModels",
                "RequestParameters",
                "RequestValidatorId",
            ),
            "Integration": _INTEGRATION,
        },
        keys=_method_keys,
        remove=_remover("delete_method", redeploy=True),
    ),
    "AWS::ApiGateway::Authorizer": ResourceType(
        _authorizer,
        {
            "Name": shapes.text,
            "RestApiId": shapes.text,
            "Type": shapes.one_of("TOKEN", "REQUEST", "COGNITO_USER_POOLS"),
        },
        {
            "AuthorizerResultTtlInSeconds": shapes.number(0, 3600),
            "AuthorizerUri": shapes.text,
            "IdentitySource": shapes.text,
            "IdentityValidationExpression": shapes.text,
            "ProviderARNs": _TEXTS,
        },
        keys=_authorizer_keys,
        remove=_remover("delete_authorizer", redeploy=True),
    ),
    "AWS::ApiGateway::RequestValidator": ResourceType(
        _validator,
        shapes.all_as_aws("RestApiId"),
        shapes.all_as_aws("Name", "ValidateRequestBody", "ValidateRequestParameters"),
    ),
    "AWS::ApiGateway::Model": ResourceType(
        _model,
        shapes.all_as_aws("RestApiId"),
        shapes.all_as_aws("ContentType", "Description", "Name", "Schema"),
    ),
    "AWS::ApiGateway::GatewayResponse": ResourceType(
        _gateway_response,
        shapes.all_as_aws("ResponseType", "RestApiId"),
        shapes.all_as_aws("ResponseParameters", "ResponseTemplates", "StatusCode"),
        keys=lambda _, properties, __: [
            {"restApiId": properties["RestApiId"], "responseType": properties["ResponseType"]}
        ],
        remove=_remover("delete_gateway_response", redeploy=True),
    ),
    "AWS::ApiGateway::Deployment": ResourceType(
        _deployment,
        shapes.all_as_aws("RestApiId", "StageName"),
        {
            **shapes.all_as_aws("Description"),
            "StageDescription": shapes.mapping(
                {},
                {
                    "AccessLogSetting": shapes.mapping(
                        {"DestinationArn": shapes.text, "Format": shapes.text}
                    )
                },
            ),
        },
    ),
    "AWS::ApiGateway::ApiKey": ResourceType(
        _api_key,
        {},
        {
            **shapes.all_as_aws("CustomerId", "Description", "Enabled", "Name", "Value"),
            "StageKeys": shapes.list_of(
                shapes.mapping({"RestApiId": shapes.text, "StageName": shapes.text})
            ),
        },
        keys=lambda _, __, physical: [{"apiKey": physical.ref}],
        remove=_remover("delete_api_key"),
    ),
    "AWS::ApiGateway::UsagePlan": ResourceType(
        _usage_plan,
        {},
        {
            **shapes.all_as_aws("Description", "Quota", "Throttle", "UsagePlanName"),
            "ApiStages": shapes.list_of(
                shapes.mapping({"ApiId": shapes.text, "Stage": shapes.text})
            ),
        },
    ),
    "AWS::ApiGateway::UsagePlanKey": ResourceType(
        _usage_plan_key,
        shapes.all_as_aws("KeyId", "KeyType", "UsagePlanId"),
        keys=_plan_key_keys,
        remove=_remover("delete_usage_plan_key"),
    ),
}

"""Settings of functions, aliases and permissions that LocalStack's types leave out.

What: no patch; operations of Lambda.
Why: what LocalStack's types leave out would be ignored without a word.
Until: LocalStack's types have these settings.
Test: ``tests/delivery/test_cloudformation_properties.py``.

AWS topics: AWS CloudFormation Template Reference Guide, "AWS::Lambda::Function" and the types
beside it; AWS Lambda API Reference.
"""

from __future__ import annotations

from typing import Any

from trigger_stack.localstack.cloudformation import tags

type Model = dict[str, Any]

#: Lambda's own size of /tmp.
TMP_MB = 512
_UPDATE_SECONDS = 60
#: Settings of a function that change with its configuration, each with Lambda's default.
_CONFIGURATION: Model = {
    "EphemeralStorage": {"Size": TMP_MB},
    "SnapStart": {"ApplyOn": "None"},
}
_ALLOWS_LOOP = "Terminate"


def set_function(clients: Any, before: Model, model: Model) -> None:
    """What has an operation of its own, and what LocalStack's type does not pass on."""
    client, name = clients.lambda_, model["FunctionName"]
    _set_concurrency(client, name, before, model)
    changed = {
        key: value
        for key, default in _CONFIGURATION.items()
        if (value := _typed(model.get(key) or default)) != _typed(before.get(key) or default)
    }
    if changed:
        client.update_function_configuration(FunctionName=name, **changed)
        client.get_waiter("function_updated_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": _UPDATE_SECONDS}
        )
    loop, old = (one.get("RecursiveLoop") or _ALLOWS_LOOP for one in (model, before))
    if loop != old:
        client.put_function_recursion_config(FunctionName=name, RecursiveLoop=loop)
    signing, old = (one.get("CodeSigningConfigArn") for one in (model, before))
    if signing and signing != old:
        client.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=signing)
    elif old and not signing:
        client.delete_function_code_signing_config(FunctionName=name)
    if before:  # its own operation sets those of a new one
        tags.set_by_name("lambda_", "Resource", "Arn")(clients, before, model)


def _set_concurrency(client: Any, name: str, before: Model, model: Model) -> None:
    wanted = model.get("ReservedConcurrentExecutions")
    if wanted not in (None, ""):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(wanted))
    elif before.get("ReservedConcurrentExecutions") not in (None, ""):
        client.delete_function_concurrency(FunctionName=name)


def _typed(value: Model) -> Model:
    return {key: int(one) if str(one).isdigit() else one for key, one in value.items()}


def set_permission(clients: Any, before: Model, model: Model) -> None:
    """The conditions of a permission, but its source."""
    conditions = ("EventSourceToken", "FunctionUrlAuthType", "PrincipalOrgID", "SourceAccount")
    more: Model = {name: str(model[name]) for name in conditions if model.get(name)}
    if str(model.get("InvokedViaFunctionUrl")).lower() == "true":
        more["InvokedViaFunctionUrl"] = True
    if more:
        place = {"FunctionName": model["FunctionName"], "StatementId": model["Id"]}
        same = {name: model[name] for name in ("Action", "Principal", "SourceArn") if name in model}
        clients.lambda_.remove_permission(**place)
        clients.lambda_.add_permission(**place, **same, **more)


def set_new_alias(clients: Any, before: Model, model: Model) -> None:
    """The weights of a new alias; a change of one has them."""
    if not before and model.get("RoutingConfig"):
        change_alias(clients, before, model)


def change_alias(clients: Any, before: Model, model: Model) -> None:
    """What an alias points at."""
    place = {"FunctionName": model["FunctionName"]}
    weights = (model.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
    routing = {one["FunctionVersion"]: float(one["FunctionWeight"]) for one in weights}
    clients.lambda_.update_alias(
        **place,
        Name=model["Name"],
        FunctionVersion=model["FunctionVersion"],
        Description=model.get("Description") or "",
        RoutingConfig={"AdditionalVersionWeights": routing},
    )
    if not before:
        return
    wanted, old = (one.get("ProvisionedConcurrencyConfig") for one in (model, before))
    if wanted and wanted != old:
        clients.lambda_.put_provisioned_concurrency_config(
            **place,
            Qualifier=model["Name"],
            ProvisionedConcurrentExecutions=int(wanted["ProvisionedConcurrentExecutions"]),
        )
    elif old and not wanted:
        clients.lambda_.delete_provisioned_concurrency_config(**place, Qualifier=model["Name"])


def change_url(clients: Any, before: Model, model: Model) -> None:
    """The settings of a function URL, also those that are gone."""
    settings: Model = {
        "AuthType": model["AuthType"],
        "Cors": model.get("Cors") or {},
        "InvokeMode": model.get("InvokeMode") or "BUFFERED",
    }
    if model.get("Qualifier"):
        settings["Qualifier"] = model["Qualifier"]
    clients.lambda_.update_function_url_config(FunctionName=model["TargetFunctionArn"], **settings)


def change_signing(clients: Any, before: Model, model: Model) -> None:
    """Who may sign code, and what happens to code that they did not sign."""
    untrusted = {"UntrustedArtifactOnDeployment": "Warn"}
    clients.lambda_.update_code_signing_config(
        CodeSigningConfigArn=model["CodeSigningConfigArn"],
        Description=model.get("Description") or "",
        AllowedPublishers=model["AllowedPublishers"],
        CodeSigningPolicies=model.get("CodeSigningPolicies") or untrusted,
    )

"""The resource types that the stack adds to CloudFormation.

Each is an entry point in ``emulator/plugin/pyproject.toml``, so that LocalStack finds it.
Names, ``Ref`` and attributes: AWS CloudFormation Template Reference Guide.
"""

from __future__ import annotations

import json
import time
from typing import Any

from trigger_stack.localstack.cloudformation.operations import Model, ResourceType

_PIPE_SECONDS = 30


def _http_api_parameters(model: Model) -> Model:
    """With ``Body`` an API is imported; its description has the rest."""
    body = model.get("Body")
    if body is None:
        return model
    described = {"Name", "Description", "Version", "ProtocolType", "Tags", "CorsConfiguration"}
    rest = {name: value for name, value in model.items() if name not in described}
    return rest | {"Body": body if isinstance(body, str) else json.dumps(body)}


def _tag_an_imported_api(client: Any, model: Model) -> None:
    """The operation that imports has no tags."""
    if "Body" in model and model.get("Tags"):
        arn = f"arn:aws:apigateway:{client.meta.region_name}::/apis/{model['ApiId']}"
        client.tag_resource(ResourceArn=arn, Tags=model["Tags"])


def _let_target_groups_reach(client: Any, model: Model) -> None:
    """Register the targets of a target group, and set its attributes."""
    arn = model["TargetGroupArn"]
    wanted = model.get("Targets") or []
    there = client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    ids = {one["Target"]["Id"] for one in there}
    gone = ids - {target["Id"] for target in wanted}
    if gone:
        client.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": one} for one in sorted(gone)])
    new = [target for target in wanted if target["Id"] not in ids]
    if new:
        client.register_targets(TargetGroupArn=arn, Targets=new)
    attributes = model.get("TargetGroupAttributes")
    if attributes:
        client.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)


def _load_balancer_attributes(client: Any, model: Model) -> None:
    arn = model["LoadBalancerArn"]
    model["LoadBalancerFullName"] = arn.rpartition(":loadbalancer/")[2]
    attributes = model.get("LoadBalancerAttributes")
    if attributes:
        client.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)


def _target_group(client: Any, model: Model) -> None:
    model["TargetGroupFullName"] = model["TargetGroupArn"].rpartition(":")[2]
    model["TargetGroupName"] = model["Name"]
    _let_target_groups_reach(client, model)


def _pool_parameters(model: Model) -> Model:
    """The name of a user pool has another name in the API."""
    name = {"PoolName": model["UserPoolName"]} if "UserPoolName" in model else {}
    return {key: value for key, value in model.items() if key != "UserPoolName"} | name


def _user_pool(client: Any, model: Model) -> None:
    provider = f"cognito-idp.{client.meta.region_name}.amazonaws.com/{model['UserPoolId']}"
    model |= {"ProviderName": provider, "ProviderURL": f"https://{provider}"}


def _pipe_update(model: Model) -> Model:
    """Where a stream's reading began is nothing that can be changed."""
    fixed = {"StartingPosition", "StartingPositionTimestamp"}
    sources = {
        kind: {name: value for name, value in one.items() if name not in fixed}
        for kind, one in (model.get("SourceParameters") or {}).items()
    }
    return model | ({"SourceParameters": sources} if sources else {})


def _pipe(client: Any, model: Model) -> None:
    """Wait until a pipe is as it is to be.

    Raises:
        RuntimeError: It failed, or is not so in time; with its reason.
    """
    wanted = model.get("DesiredState") or "RUNNING"
    deadline = time.monotonic() + _PIPE_SECONDS
    while True:
        pipe = client.describe_pipe(Name=model["Name"])
        if pipe["CurrentState"] == wanted:
            return
        if pipe["CurrentState"].endswith("FAILED") or time.monotonic() > deadline:
            raise RuntimeError(f"{pipe['CurrentState']}: {pipe.get('StateReason', '')}")
        time.sleep(0.1)


def _metric_filter(model: Model) -> Model:
    """The API's names begin with a small letter, and its dimensions are a mapping."""
    made = []
    for one in model.get("MetricTransformations") or []:
        transformation = {f"{key[0].lower()}{key[1:]}": value for key, value in one.items()}
        if "dimensions" in transformation:
            dimensions = {each["Key"]: each["Value"] for each in transformation["dimensions"]}
            transformation["dimensions"] = dimensions
        if "defaultValue" in transformation:
            transformation["defaultValue"] = float(transformation["defaultValue"])
        made.append(transformation)
    return model | {"MetricTransformations": made}


def _archive_parameters(model: Model) -> Model:
    """The source has another name in the API; without a pattern each event is archived."""
    rest = {name: value for name, value in model.items() if name != "SourceArn"}
    return rest | {"EventSourceArn": model["SourceArn"], "EventPattern": _pattern(model)}


def _archive_update(model: Model) -> Model:
    """What is gone has a value that says so."""
    settings = {"Description": "", "RetentionDays": 0} | _archive_parameters(model)
    return {name: value for name, value in settings.items() if name != "EventSourceArn"}


def _pattern(model: Model) -> str:
    pattern = model.get("EventPattern") or ""
    return pattern if isinstance(pattern, str) else json.dumps(pattern)


def _user_parameters(model: Model) -> Model:
    """The attributes of a user, each with its name and value alone."""
    attributes = model.get("UserAttributes") or []
    return model | {
        "UserAttributes": [{"Name": a["Name"], "Value": a["Value"]} for a in attributes]
    }


def _receipt_rule(model: Model) -> Model:
    """A rule has its name inside, and may have none in a template."""
    rule = {"Name": model["RuleName"], **model["Rule"]}
    return {name: value for name, value in model.items() if name != "RuleName"} | {"Rule": rule}


def _name_of_receipt_rule(client: Any, model: Model) -> None:
    model["RuleName"] = model["Rule"].get("Name") or model["RuleName"]


RESOURCE_TYPES = (
    ResourceType(
        name="AWS::ApiGateway::Authorizer",
        service="apigateway",
        create="create_authorizer",
        delete="delete_authorizer",
        update=None,
        reference="AuthorizerId",
        identity={"restApiId": "RestApiId", "authorizerId": "AuthorizerId"},
        results={"AuthorizerId": "id"},
        create_only=(
            "RestApiId", "Name", "Type", "ProviderARNs", "AuthType", "AuthorizerUri",
            "AuthorizerCredentials", "IdentitySource", "IdentityValidationExpression",
            "AuthorizerResultTtlInSeconds",
        ),
    ),
    ResourceType(
        name="AWS::ApiGatewayV2::Api",
        service="apigatewayv2",
        create=lambda model: "import_api" if "Body" in model else "create_api",
        delete="delete_api",
        update=lambda model: "reimport_api" if "Body" in model else "update_api",
        reference="ApiId",
        identity={"ApiId": "ApiId"},
        results={"ApiId": "ApiId", "ApiEndpoint": "ApiEndpoint"},
        create_only=("ProtocolType",),
        prepare=_http_api_parameters,
        after=_tag_an_imported_api,
    ),
    ResourceType(
        name="AWS::ApiGatewayV2::Authorizer",
        service="apigatewayv2",
        create="create_authorizer",
        delete="delete_authorizer",
        update="update_authorizer",
        reference="AuthorizerId",
        identity={"ApiId": "ApiId", "AuthorizerId": "AuthorizerId"},
        results={"AuthorizerId": "AuthorizerId"},
        create_only=("ApiId",),
    ),
    ResourceType(
        name="AWS::ApiGatewayV2::Deployment",
        service="apigatewayv2",
        create="create_deployment",
        delete="delete_deployment",
        update="update_deployment",
        reference="DeploymentId",
        identity={"ApiId": "ApiId", "DeploymentId": "DeploymentId"},
        results={"DeploymentId": "DeploymentId"},
        create_only=("ApiId", "StageName"),
    ),
    ResourceType(
        name="AWS::ApiGatewayV2::Integration",
        service="apigatewayv2",
        create="create_integration",
        delete="delete_integration",
        update="update_integration",
        reference="IntegrationId",
        identity={"ApiId": "ApiId", "IntegrationId": "IntegrationId"},
        results={"IntegrationId": "IntegrationId"},
        create_only=("ApiId",),
    ),
    ResourceType(
        name="AWS::ApiGatewayV2::Route",
        service="apigatewayv2",
        create="create_route",
        delete="delete_route",
        update="update_route",
        reference="RouteId",
        identity={"ApiId": "ApiId", "RouteId": "RouteId"},
        results={"RouteId": "RouteId"},
        create_only=("ApiId",),
    ),
    ResourceType(
        name="AWS::ApiGatewayV2::Stage",
        service="apigatewayv2",
        create="create_stage",
        delete="delete_stage",
        update="update_stage",
        reference="StageName",
        identity={"ApiId": "ApiId", "StageName": "StageName"},
        create_only=("ApiId", "StageName"),
    ),
    ResourceType(
        name="AWS::Cognito::UserPool",
        service="cognito_idp",
        create="create_user_pool",
        delete="delete_user_pool",
        update="update_user_pool",
        reference="UserPoolId",
        identity={"UserPoolId": "UserPoolId"},
        results={"UserPoolId": "UserPool.Id", "Arn": "UserPool.Arn"},
        create_only=("AliasAttributes", "UsernameAttributes", "UsernameConfiguration"),
        named="UserPoolName",
        longest_name=128,
        prepare=_pool_parameters,
        after=_user_pool,
        added=("ProviderName", "ProviderURL"),
    ),
    ResourceType(
        name="AWS::Cognito::UserPoolClient",
        service="cognito_idp",
        create="create_user_pool_client",
        delete="delete_user_pool_client",
        update="update_user_pool_client",
        reference="ClientId",
        identity={"UserPoolId": "UserPoolId", "ClientId": "ClientId"},
        results={
            "ClientId": "UserPoolClient.ClientId",
            "ClientSecret": "UserPoolClient.ClientSecret",
            "Name": "UserPoolClient.ClientName",
        },
        create_only=("UserPoolId", "GenerateSecret"),
        named="ClientName",
        longest_name=128,
    ),
    ResourceType(
        name="AWS::Cognito::UserPoolGroup",
        service="cognito_idp",
        create="create_group",
        delete="delete_group",
        update="update_group",
        reference="GroupName",
        identity={"UserPoolId": "UserPoolId", "GroupName": "GroupName"},
        create_only=("UserPoolId", "GroupName"),
        named="GroupName",
        longest_name=128,
    ),
    ResourceType(
        name="AWS::Cognito::UserPoolUser",
        service="cognito_idp",
        create="admin_create_user",
        delete="admin_delete_user",
        update=None,
        reference="Username",
        identity={"UserPoolId": "UserPoolId", "Username": "Username"},
        create_only=(
            *("ClientMetadata", "DesiredDeliveryMediums", "ForceAliasCreation", "MessageAction"),
            *("UserAttributes", "UserPoolId", "Username", "ValidationData"),
        ),
        named="Username",
        longest_name=128,
        prepare=_user_parameters,
    ),
    ResourceType(
        name="AWS::Cognito::UserPoolUserToGroupAttachment",
        service="cognito_idp",
        create="admin_add_user_to_group",
        delete="admin_remove_user_from_group",
        update=None,
        reference="Username",
        identity={"UserPoolId": "UserPoolId", "GroupName": "GroupName", "Username": "Username"},
        create_only=("UserPoolId", "GroupName", "Username"),
    ),
    ResourceType(
        name="AWS::ElasticLoadBalancingV2::LoadBalancer",
        service="elbv2",
        create="create_load_balancer",
        delete="delete_load_balancer",
        update=None,
        reference="LoadBalancerArn",
        identity={"LoadBalancerArn": "LoadBalancerArn"},
        results={
            "LoadBalancerArn": "LoadBalancers.0.LoadBalancerArn",
            "DNSName": "LoadBalancers.0.DNSName",
            "CanonicalHostedZoneID": "LoadBalancers.0.CanonicalHostedZoneId",
            "LoadBalancerName": "LoadBalancers.0.LoadBalancerName",
        },
        create_only=("Name", "Scheme", "Type", "Subnets", "SubnetMappings", "SecurityGroups"),
        ignored=("LoadBalancerAttributes",),
        named="Name",
        longest_name=32,
        after=_load_balancer_attributes,
        added=("LoadBalancerFullName",),
    ),
    ResourceType(
        name="AWS::ElasticLoadBalancingV2::TargetGroup",
        service="elbv2",
        create="create_target_group",
        delete="delete_target_group",
        update="modify_target_group",
        reference="TargetGroupArn",
        identity={"TargetGroupArn": "TargetGroupArn"},
        results={"TargetGroupArn": "TargetGroups.0.TargetGroupArn"},
        create_only=("Name", "Port", "Protocol", "ProtocolVersion", "TargetType", "VpcId"),
        ignored=("Targets", "TargetGroupAttributes"),
        named="Name",
        longest_name=32,
        after=_target_group,
        added=("TargetGroupFullName", "TargetGroupName"),
    ),
    ResourceType(
        name="AWS::ElasticLoadBalancingV2::Listener",
        service="elbv2",
        create="create_listener",
        delete="delete_listener",
        update="modify_listener",
        reference="ListenerArn",
        identity={"ListenerArn": "ListenerArn"},
        results={"ListenerArn": "Listeners.0.ListenerArn"},
        create_only=("LoadBalancerArn",),
    ),
    ResourceType(
        name="AWS::ElasticLoadBalancingV2::ListenerRule",
        service="elbv2",
        create="create_rule",
        delete="delete_rule",
        update="modify_rule",
        reference="RuleArn",
        identity={"RuleArn": "RuleArn"},
        results={"RuleArn": "Rules.0.RuleArn"},
        create_only=("ListenerArn", "Priority"),
    ),
    ResourceType(
        name="AWS::Events::Archive",
        service="events",
        create="create_archive",
        delete="delete_archive",
        update="update_archive",
        reference="ArchiveName",
        identity={"ArchiveName": "ArchiveName"},
        results={"Arn": "ArchiveArn"},
        create_only=("ArchiveName", "SourceArn"),
        named="ArchiveName",
        longest_name=48,
        prepare=_archive_parameters,
        prepare_update=_archive_update,
    ),
    ResourceType(
        name="AWS::Logs::MetricFilter",
        service="logs",
        create="put_metric_filter",
        delete="delete_metric_filter",
        update="put_metric_filter",
        reference="FilterName",
        identity={"logGroupName": "LogGroupName", "filterName": "FilterName"},
        create_only=("FilterName", "LogGroupName"),
        named="FilterName",
        longest_name=512,
        prepare=_metric_filter,
    ),
    ResourceType(
        name="AWS::Logs::ResourcePolicy",
        service="logs",
        create="put_resource_policy",
        delete="delete_resource_policy",
        update="put_resource_policy",
        reference="PolicyName",
        identity={"policyName": "PolicyName"},
        create_only=("PolicyName",),
    ),
    ResourceType(
        name="AWS::Pipes::Pipe",
        service="pipes",
        create="create_pipe",
        delete="delete_pipe",
        update="update_pipe",
        reference="Name",
        identity={"Name": "Name"},
        results={"Arn": "Arn"},
        create_only=("Name", "Source"),
        named="Name",
        prepare_update=_pipe_update,
        after=_pipe,
    ),
    ResourceType(
        name="AWS::SES::ReceiptRule",
        service="ses",
        create="create_receipt_rule",
        delete="delete_receipt_rule",
        update="update_receipt_rule",
        reference="RuleName",
        identity={"RuleSetName": "RuleSetName", "RuleName": "RuleName"},
        create_only=("RuleSetName", "After"),
        named="RuleName",
        prepare=_receipt_rule,
        after=_name_of_receipt_rule,
    ),
    ResourceType(
        name="AWS::SES::ReceiptRuleSet",
        service="ses",
        create="create_receipt_rule_set",
        delete="delete_receipt_rule_set",
        update=None,
        reference="RuleSetName",
        identity={"RuleSetName": "RuleSetName"},
        create_only=("RuleSetName",),
        named="RuleSetName",
    ),
)  # fmt: skip

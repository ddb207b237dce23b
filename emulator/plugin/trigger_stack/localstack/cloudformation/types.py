"""The resource types that the stack adds to CloudFormation.

Each is an entry point in ``emulator/plugin/pyproject.toml``, so that LocalStack finds it.
Names, ``Ref`` and attributes: AWS CloudFormation Template Reference Guide.
"""

from __future__ import annotations

import json
from typing import Any

from trigger_stack.localstack.cloudformation.operations import Model, ResourceType


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
)  # fmt: skip

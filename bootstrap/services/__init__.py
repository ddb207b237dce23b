"""How each resource type is created: one AWS service, one module."""

from dataclasses import replace

from bootstrap.services import (
    api_destinations,
    apigateway,
    apigatewayv2,
    cloudfront,
    cloudwatch,
    cognito,
    dynamodb,
    ec2,
    elbv2,
    events,
    exports,
    iam,
    kinesis,
    lambda_,
    lambda_aliases,
    logs,
    pipes,
    s3,
    scheduler,
    ses,
    sns,
    sqs,
)
from bootstrap.services.base import ResourceType
from bootstrap.template import Template

RESOURCE_TYPES: dict[str, ResourceType] = {
    name: replace(resource_type, name=name)
    for module in (
        api_destinations,
        apigateway,
        apigatewayv2,
        cloudfront,
        cloudwatch,
        cognito,
        dynamodb,
        ec2,
        elbv2,
        events,
        exports,
        iam,
        kinesis,
        lambda_,
        lambda_aliases,
        logs,
        pipes,
        s3,
        scheduler,
        ses,
        sns,
        sqs,
    )
    for name, resource_type in module.RESOURCE_TYPES.items()
}


#: Modules that are not called as boto3 calls their service.
_SERVICES = {
    "api_destinations": "events",
    "cognito": "cognito-idp",
    "exports": "ssm",
    "lambda_": "lambda",
    "lambda_aliases": "lambda",
}


def needed(template: Template) -> list[str]:
    """The services, as boto3 calls them, that have the resources of a template."""
    types = dict.fromkeys(one.type for one in template.resources.values())
    kinds = (RESOURCE_TYPES[name] for name in types if name in RESOURCE_TYPES)
    modules = (kind.ensure.__module__.rpartition(".")[2] for kind in kinds)
    return list(dict.fromkeys(_SERVICES.get(module, module) for module in modules))

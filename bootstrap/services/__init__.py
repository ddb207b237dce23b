"""How each resource type is created: one AWS service, one module."""

from dataclasses import replace

from bootstrap.services import (
    apigateway,
    apigatewayv2,
    cloudfront,
    cognito,
    dynamodb,
    ec2,
    elbv2,
    events,
    exports,
    iam,
    kinesis,
    lambda_,
    logs,
    pipes,
    s3,
    scheduler,
    ses,
    sns,
    sqs,
)
from bootstrap.services.base import ResourceType

RESOURCE_TYPES: dict[str, ResourceType] = {
    name: replace(resource_type, name=name)
    for module in (
        apigateway,
        apigatewayv2,
        cloudfront,
        cognito,
        dynamodb,
        ec2,
        elbv2,
        events,
        exports,
        iam,
        kinesis,
        lambda_,
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

"""Entry points of the services this plugin adds (group ``localstack.aws.provider``).

Every factory imports its service when the first request comes, as LocalStack's own do, so that
start-up pays for nothing that is not used.

What: entry points at LocalStack's extension point ``localstack.aws.provider``.
Why: the open release lacks these services.
Until: see the module of each service.
Test: ``tests/unit/plugin/test_localstack_package.py::test_every_entry_point_can_be_loaded``.
"""

from localstack.services.plugins import Service, aws_provider


@aws_provider()
def apigatewayv2() -> Service:
    """HTTP APIs: the control plane; the engine serves them."""
    from trigger_stack.localstack.apigatewayv2.provider import create_service

    return create_service()


@aws_provider()
def cloudfront() -> Service:
    """CloudFront: the control plane; the engine serves distributions."""
    from trigger_stack.localstack.cloudfront.provider import create_service

    return create_service()


@aws_provider()
def rekognition() -> Service:
    """Rekognition: labels, colours and text from models on this machine."""
    from trigger_stack.localstack.rekognition import create_service

    return create_service()


@aws_provider()
def ecr() -> Service:
    """Amazon ECR: no repositories."""
    from trigger_stack.localstack.ecr import create_service

    return create_service()


@aws_provider()
def elbv2() -> Service:
    """Application Load Balancers: moto's control plane; the engine serves them."""
    from trigger_stack.localstack.elbv2.provider import create_service

    return create_service()


@aws_provider(api="cognito-idp")
def cognito_idp() -> Service:
    """Amazon Cognito user pools: moto's control plane, with triggers and tokens of our own."""
    from trigger_stack.localstack.cognito.provider import create_service

    return create_service()


@aws_provider()
def pipes() -> Service:
    """EventBridge Pipes: the control plane, and the pollers of queues and streams."""
    from trigger_stack.localstack.pipes.provider import create_service

    return create_service()

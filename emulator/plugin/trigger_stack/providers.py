"""Entry points of the services this plugin adds (group ``localstack.aws.provider``).

Every factory imports its service when the first request comes, as LocalStack's own do, so that
start-up pays for nothing that is not used.
"""

from localstack.services.plugins import Service, aws_provider


@aws_provider()
def apigatewayv2() -> Service:
    """HTTP APIs: control plane and data plane."""
    from trigger_stack.apigatewayv2.provider import ApiGatewayV2Provider

    return Service.for_provider(ApiGatewayV2Provider())


@aws_provider()
def cloudfront() -> Service:
    """CloudFront: moto's control plane."""
    from trigger_stack.cloudfront.provider import create_service

    return create_service()


@aws_provider()
def rekognition() -> Service:
    """Rekognition: labels, colours and text from models on this machine."""
    from trigger_stack.rekognition.provider import create_service

    return create_service()

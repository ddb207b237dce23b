"""Puts the batching of Lambda's metrics in place at LocalStack's start."""

from localstack.runtime import hooks


@hooks.on_infra_start()
def batch_lambda_metrics() -> None:
    """Publish the metrics of Lambda invocations together."""
    from trigger_stack.cloudwatch.lambda_metrics import install

    install()

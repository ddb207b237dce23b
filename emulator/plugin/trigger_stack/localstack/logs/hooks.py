"""Chooses the provider of CloudWatch Logs whose subscription filters deliver.

What: a provider ``logs:subscribed`` (LocalStack's extension point ``localstack.aws.provider``),
and a start hook that makes it the default. The provider itself is loaded with the first request.
Why: as ``provider.py``.
Until: as ``provider.py``.
Test: ``tests/delivery/test_log_subscriptions.py``, which fails without it.
"""

from localstack import config
from localstack.runtime.hooks import on_infra_start
from localstack.services.plugins import Service, aws_provider


@on_infra_start(priority=800)
def choose_subscribed_logs() -> None:
    """Use this provider unless a setting names another one."""
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("logs", "subscribed")


@aws_provider(api="logs", name="subscribed")
def logs() -> Service:
    """LocalStack's provider, with filter patterns and subscription filters of ours."""
    from localstack.services.moto import MotoFallbackDispatcher

    from trigger_stack.localstack.logs.provider import SubscribedProvider, install

    install()
    return Service.for_provider(SubscribedProvider(), dispatch_table_factory=MotoFallbackDispatcher)

"""Chooses the provider of EventBridge Scheduler whose schedules fire.

What: a provider ``scheduler:fires`` (LocalStack's extension point ``localstack.aws.provider``),
and a start hook that makes it the default. The provider itself is loaded with the first request.
Why: as ``provider.py``.
Until: as ``provider.py``.
Test: ``tests/delivery/test_scheduler_targets.py``, which fails without it.
"""

from localstack import config
from localstack.runtime.hooks import on_infra_start
from localstack.services.plugins import Service, aws_provider


@on_infra_start(priority=800)
def choose_schedules_that_fire() -> None:
    """Use this provider unless a setting names another one."""
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("scheduler", "fires")


@aws_provider(api="scheduler", name="fires")
def scheduler() -> Service:
    """EventBridge Scheduler: moto's control plane, with schedules that fire."""
    from trigger_stack.localstack.scheduler.provider import create_service

    return create_service()

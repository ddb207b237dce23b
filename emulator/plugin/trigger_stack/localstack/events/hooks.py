"""Puts the delivery guarantees and the extra routes in place at LocalStack's start.

What: a start hook at LocalStack's extension point ``localstack.hooks.on_infra_start``.
Why: the patch must be in place before the first rule is created.
Until: as ``target_sender.py``.
Test: ``tests/e2e/test_event_bus.py``, which fails without it.
"""

from localstack.runtime import hooks
from localstack.services.edge import ROUTER


@hooks.on_infra_start(priority=800)  # before EAGER_SERVICE_LOADING
def guard_event_delivery() -> None:
    """Retry policy and dead-letter queue of targets; routes below ``/_trigger_stack/events``."""
    from trigger_stack.localstack import schedules
    from trigger_stack.localstack.events import dispatch, http_targets, replays, requests, targets
    from trigger_stack.localstack.events.routes import EventRoutes
    from trigger_stack.localstack.events.target_sender import install
    from trigger_stack.localstack.scheduler.routes import SchedulerRoutes

    install()
    targets.install()
    dispatch.install()
    replays.install()
    requests.install()
    http_targets.install()
    schedules.install()
    ROUTER.add(EventRoutes())
    ROUTER.add(SchedulerRoutes())

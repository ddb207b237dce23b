"""Puts the delivery guarantees and the extra routes in place at LocalStack's start."""

from localstack.runtime import hooks
from localstack.services.edge import ROUTER


@hooks.on_infra_start()
def guard_event_delivery() -> None:
    """Retry policy and dead-letter queue of targets; routes below ``/_trigger_stack/events``."""
    from trigger_stack.events.delivery import install
    from trigger_stack.events.routes import EventRoutes

    install()
    ROUTER.add(EventRoutes())

"""Topics whose messages reach their endpoints, or are tried again.

What: a provider ``sns:retried`` (LocalStack's extension point ``localstack.aws.provider``), the
default: its own provider with the publishers of ``publishers.py`` and the dispatcher of
``dispatch.py``.
Why: see there.
Until: see there.
Test: ``tests/delivery/test_topics.py``.
"""

from __future__ import annotations

from typing import Any

from localstack import config
from localstack.runtime.hooks import on_infra_start
from localstack.services.edge import ROUTER
from localstack.services.plugins import Service, aws_provider

from trigger_stack.localstack.topics.messages import publisher


@on_infra_start(priority=800)
def choose_retried_topics() -> None:
    """Use this provider unless a setting names another one; add the route for redrives."""
    from trigger_stack.localstack.topics.routes import TopicRoutes

    ROUTER.add(TopicRoutes())
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("sns", "retried")


@aws_provider(api="sns", name="retried")
def sns() -> Service:
    """LocalStack's provider with publishers that try again."""
    from localstack.services.sns.provider import SnsProvider

    from trigger_stack.localstack.topics import publishers
    from trigger_stack.localstack.topics.dispatch import (
        deduplicate,
        deduplication,
        submit_at_once,
    )

    replaced = publishers.install()
    deduplicate(publisher().PublishDispatcher)
    submit_at_once(publisher().PublishDispatcher, replaced)

    class Topics(SnsProvider):
        """LocalStack's provider; a topic that is deleted has no history."""

        def delete_topic(self, context: Any, topic_arn: str, **kwargs: Any) -> None:
            super().delete_topic(context, topic_arn, **kwargs)
            deduplication.forget(topic_arn)

    return Service.for_provider(Topics())

"""Topics whose messages reach their endpoints, or are tried again.

What: a provider ``sns:retried`` (LocalStack's extension point ``localstack.aws.provider``), the
default: its own provider with the publishers of ``publishers.py``, the dispatcher of
``dispatch.py`` and the filters of ``filter_policies.py``. ``PublishBatch`` refuses empty messages;
``SetSubscriptionAttributes`` without a value unsets a redrive policy.
Why: see there. LocalStack accepts an empty message of a batch, and no queue takes it. It cannot
unset a redrive policy: it answers with an internal error.
Until: see there.
Test: ``tests/delivery/test_topics.py``, ``tests/delivery/test_topic_filters.py``.
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
    from localstack.aws.api.sns import InvalidParameterException
    from localstack.services.sns.provider import SnsProvider

    from trigger_stack.localstack.topics import filter_policies, publishers
    from trigger_stack.localstack.topics.dispatch import (
        deduplicate,
        deduplication,
        isolate_filters,
        submit_at_once,
    )

    filter_policies.install()
    replaced = publishers.install()
    deduplicate(publisher().PublishDispatcher)
    submit_at_once(publisher().PublishDispatcher, replaced)
    isolate_filters(publisher().PublishDispatcher)

    class Topics(SnsProvider):
        """LocalStack's provider; no message of a batch is empty, no deleted topic has a history."""

        def delete_topic(self, context: Any, topic_arn: str, **kwargs: Any) -> None:
            super().delete_topic(context, topic_arn, **kwargs)
            deduplication.forget(topic_arn)

        def publish_batch(
            self,
            context: Any,
            topic_arn: str,
            publish_batch_request_entries: list[Any],
            **kwargs: Any,
        ) -> Any:
            if not all(entry.get("Message") for entry in publish_batch_request_entries):
                raise InvalidParameterException("Invalid parameter: Empty message")  # as Publish
            return super().publish_batch(
                context, topic_arn, publish_batch_request_entries, **kwargs
            )

        def set_subscription_attributes(
            self,
            context: Any,
            subscription_arn: str,
            attribute_name: str,
            attribute_value: Any = None,
            **kwargs: Any,
        ) -> None:
            if attribute_name == "RedrivePolicy" and attribute_value is None:
                # With a value, also an empty one, SNS wants a policy.
                store = self.get_store(account_id=context.account_id, region=context.region)
                found: Any = store.subscriptions.get(subscription_arn)
                if found:
                    found.pop("RedrivePolicy", None)
                    return
            super().set_subscription_attributes(
                context, subscription_arn, attribute_name, attribute_value, **kwargs
            )

    return Service.for_provider(Topics())

"""Topics whose messages reach their endpoints, or are tried again.

What: a provider ``sns:retried`` (LocalStack's extension point ``localstack.aws.provider``), the
default: its own provider with the publishers of ``publishers.py``, the dispatcher of
``dispatch.py`` and the filters of ``filter_policies.py``. ``Publish`` and ``PublishBatch`` refuse
empty batches and messages, and messages whose form SNS refuses (``publications.py``);
``Subscribe`` and what sets attributes refuse what SNS refuses; ``SetSubscriptionAttributes``
without a value unsets a redrive policy; ``Unsubscribe`` ends a subscription whose topic was
deleted and made again.
Why: see there. LocalStack accepts an empty message of a batch, and no queue takes it. It subscribes
endpoints that can get no message: a queue as a function (then nobody gets any), a function to a
FIFO topic, a delivery stream of Firehose, which is not there. It takes delivery policies that are
no JSON, and dead-letter queues that are none, policies without statements, and attributes that no
topic has. It answers with an internal error when a redrive policy is unset, when a subscription of
a topic that was made again ends, and to an empty batch, a name of an attribute that is empty, and
a JSON message that is no object.
Until: see there.
Test: ``tests/delivery/test_topics.py``, ``tests/delivery/test_topic_filters.py``,
``tests/delivery/test_refused_subscriptions.py``, ``tests/delivery/test_refused_publications.py``.
"""

from __future__ import annotations

from typing import Any

from localstack import config
from localstack.runtime.hooks import on_infra_start
from localstack.services.edge import ROUTER
from localstack.services.plugins import Service, aws_provider

from trigger_stack.delivery.core.subscription_checks import (
    why_attribute_refused,
    why_endpoint_refused,
    why_topic_attribute_refused,
)
from trigger_stack.localstack.topics.messages import publisher
from trigger_stack.localstack.topics.publications import (
    is_attribute,
    why_message_refused,
    why_policy_refused,
)
from trigger_stack.localstack.unsupported_services import refusal


@on_infra_start(priority=800)
def choose_retried_topics() -> None:
    """Use this provider unless a setting names another one; add the route for redrives."""
    from trigger_stack.localstack.topics.routes import TopicRoutes

    ROUTER.add(TopicRoutes())
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("sns", "retried")


@aws_provider(api="sns", name="retried")
def sns() -> Service:
    """LocalStack's provider with publishers that try again."""
    from localstack.aws.api.sns import EmptyBatchRequestException, InvalidParameterException
    from localstack.services.sns.constants import SNS_PROTOCOLS
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

    def refuse(problem: str | None, place: str = "") -> None:
        if problem:
            raise InvalidParameterException(f"Invalid parameter: {place}{problem}")

    class Topics(SnsProvider):
        """LocalStack's provider; no message of a batch is empty, no deleted topic has a history."""

        def create_topic(
            self,
            context: Any,
            name: str,
            attributes: Any = None,
            tags: Any = None,
            data_protection_policy: Any = None,
            **kwargs: Any,
        ) -> Any:
            for attribute, value in (attributes or {}).items():
                refuse(why_topic_attribute_refused(attribute, value), "Attributes Reason: ")
                refuse(why_policy_refused(attribute, value), "Attributes Reason: ")
            return super().create_topic(
                context, name, attributes, tags, data_protection_policy, **kwargs
            )

        def set_topic_attributes(
            self,
            context: Any,
            topic_arn: str,
            attribute_name: str,
            attribute_value: Any = None,
            **kwargs: Any,
        ) -> None:
            self._get_topic(topic_arn, context)
            refuse(None if is_attribute(attribute_name) else "AttributeName")
            refuse(why_topic_attribute_refused(attribute_name, attribute_value))
            refuse(why_policy_refused(attribute_name, attribute_value))
            super().set_topic_attributes(
                context, topic_arn, attribute_name, attribute_value, **kwargs
            )

        def subscribe(
            self,
            context: Any,
            topic_arn: str,
            protocol: str,
            endpoint: str | None = None,
            attributes: Any = None,
            return_subscription_arn: bool | None = None,
            **kwargs: Any,
        ) -> Any:
            given = attributes or {}
            if endpoint and protocol in SNS_PROTOCOLS:
                self._get_topic(topic_arn, context)
                refuse(why_endpoint_refused(topic_arn, protocol, endpoint, given))
                refuse(refusal("firehose") if protocol == "firehose" else None)
                for name, value in given.items():
                    why = why_attribute_refused(topic_arn, protocol, name, value)
                    refuse(why, "Attributes Reason: ")
            return super().subscribe(
                context,
                topic_arn,
                protocol,
                endpoint,
                attributes,
                return_subscription_arn,
                **kwargs,
            )

        def unsubscribe(self, context: Any, subscription_arn: str, **kwargs: Any) -> None:
            parts = (subscription_arn or "").split(":")
            if len(parts) == 7:
                store = self.get_store(account_id=parts[4], region=parts[3])
                known: Any = store.subscriptions.get(subscription_arn)
                topic = store.topics.get(known["TopicArn"]) if known else None
                if topic and subscription_arn not in topic["subscriptions"]:
                    # It is of a topic that was deleted; this one has its name.
                    store.subscription_filter_policy.pop(subscription_arn, None)
                    store.subscriptions.pop(subscription_arn, None)
                    return
            super().unsubscribe(context, subscription_arn, **kwargs)

        def publish(self, context: Any, message: str, **kwargs: Any) -> Any:  # type: ignore[override]  # by name only
            refuse(why_message_refused({"Message": message, **_named(kwargs)}))
            return super().publish(context, message, **kwargs)

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
            if not publish_batch_request_entries:
                raise EmptyBatchRequestException("The batch request doesn't contain any entries.")
            if not all(entry.get("Message") for entry in publish_batch_request_entries):
                raise InvalidParameterException("Invalid parameter: Empty message")  # as Publish
            for entry in publish_batch_request_entries:
                refuse(why_message_refused(entry))
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
            if found := self.get_store(context.account_id, context.region).subscriptions.get(
                subscription_arn
            ):
                about = (found["TopicArn"], found["Protocol"])
                refuse(why_attribute_refused(*about, attribute_name, attribute_value))
            super().set_subscription_attributes(
                context, subscription_arn, attribute_name, attribute_value, **kwargs
            )

    return Service.for_provider(Topics())


def _named(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``publish`` as an entry of a batch has them."""
    return {
        "Subject": arguments.get("subject"),
        "MessageStructure": arguments.get("message_structure"),
        "MessageAttributes": arguments.get("message_attributes"),
    }

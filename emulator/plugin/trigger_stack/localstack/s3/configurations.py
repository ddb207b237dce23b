"""Which notifications a bucket takes, and which keys they are for.

What: ``_matching_filter`` of LocalStack's notifications is replaced, and
``NotificationDispatcher.verify_configuration`` looks at the whole first.
Why: LocalStack compares the prefix and suffix with the key URL-encoded, so ``a+b``, which AWS wants
for ``a b``, fits no key with a space, and ``é/`` none at all. It takes two notifications for the
same event and key, a destination in another region, and a FIFO queue or topic, which would get
none: AWS refuses all of them.
Until: LocalStack decodes prefix and suffix, and refuses what AWS refuses.
Test: ``tests/delivery/test_s3_events.py``, ``tests/unit/plugin/test_s3_patches.py``. AWS topics:
Amazon S3 User Guide, "Configuring event notifications using object key name filtering" and "Event
notification types and destinations".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from localstack.aws.api.s3 import InvalidArgument
from localstack.services.s3 import notifications
from localstack.services.s3.models import s3_stores
from localstack.services.s3.notifications import NotificationDispatcher

from trigger_stack.delivery.s3.key_filter import passes
from trigger_stack.delivery.s3.overlap import Notified, refusal

_OTHER_REGION = (
    "The notification destination service region is not valid for the bucket location constraint"
)
_NOT_VALID = "Unable to validate the following destination configurations"
_FIFO = "A FIFO queue or topic cannot be the destination of notifications."
_MARK = "_trigger_stack_original"


def _matching_filter(notification_filter: Any, key_name: str) -> bool:
    rules = ((notification_filter or {}).get("Key") or {}).get("FilterRules") or []
    return passes(unquote(key_name), rules)


def _bucket_region(account: str, name: str) -> str | None:
    store = s3_stores[account]["us-east-1"]  # buckets are the same in the store of each region
    owner = store.global_bucket_map.get(name, account)
    bucket = s3_stores[owner]["us-east-1"].buckets.get(name)
    return bucket.bucket_region if bucket else None


def _check(dispatcher: Any, configuration: dict[str, Any], region: str | None) -> None:
    """Before LocalStack's own checks: those send test events to queues and topics."""
    given = [
        (dispatcher.notifiers[kind], one)
        for kind, several in configuration.items()
        if isinstance(several, list)
        for one in several
    ]
    for notifier, one in given:
        arn, argument = notifier._get_arn_value_and_name(one)
        parts = arn.split(":")
        # LocalStack says it when this is no ARN at all.
        if region and len(parts) > 5 and parts[3] != region:
            raise InvalidArgument(_OTHER_REGION, ArgumentName=argument, ArgumentValue=arn)
        if arn.endswith(".fifo"):
            raise InvalidArgument(_NOT_VALID, ArgumentName=arn, ArgumentValue=_FIFO)
    message = refusal(Notified.of(one) for _, one in given)
    if message:
        raise InvalidArgument(message)


def install() -> None:
    """Patch LocalStack. Idempotent."""
    original = NotificationDispatcher.verify_configuration
    if hasattr(original, _MARK):
        return

    def verify_configuration(
        dispatcher: Any,
        notification_configurations: Any,
        skip_destination_validation: Any,
        context: Any,
        bucket_name: str,
    ) -> None:
        region = _bucket_region(context.account_id, bucket_name)
        _check(dispatcher, notification_configurations, region)
        original(
            dispatcher,
            notification_configurations,
            skip_destination_validation,
            context,
            bucket_name,
        )

    setattr(verify_configuration, _MARK, original)
    setattr(NotificationDispatcher, "verify_configuration", verify_configuration)  # noqa: B010  the patch
    setattr(notifications, "_matching_filter", _matching_filter)  # noqa: B010  the patch

"""Which notifications a bucket takes, and which keys they are for.

What: ``_matching_filter`` of LocalStack's notifications is replaced, and
``NotificationDispatcher.verify_configuration`` looks at the whole first.
Why: LocalStack compares the prefix and suffix with the key URL-encoded, so ``a+b``, which AWS wants
for ``a b``, fits no key with a space, and ``é/`` none at all. It takes two notifications for the
same event and key, a destination in another region, and a FIFO queue or topic, which would get
none, a destination whose policy does not let S3 in, and events that there are not or none: AWS
refuses all of them.
Until: LocalStack decodes prefix and suffix, and refuses what AWS refuses.
Test: ``tests/delivery/test_s3_events.py``, ``tests/unit/plugin/test_s3_patches.py``. AWS topics:
Amazon S3 User Guide, "Configuring event notifications using object key name filtering" and "Event
notification types and destinations".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from localstack.aws.api.s3 import Event, InvalidArgument
from localstack.services.s3 import notifications
from localstack.services.s3.exceptions import MalformedXML
from localstack.services.s3.models import s3_stores
from localstack.services.s3.notifications import NotificationDispatcher

from trigger_stack.delivery.s3.key_filter import passes
from trigger_stack.delivery.s3.overlap import Notified, refusal
from trigger_stack.localstack.resource_policies import resource_policies

_OTHER_REGION = (
    "The notification destination service region is not valid for the bucket location constraint"
)
_NOT_VALID = "Unable to validate the following destination configurations"
_NO_EVENT = "The event is not supported for notifications"
_EVENTS = frozenset(str(one) for one in Event)
_FIFO = "A FIFO queue or topic cannot be the destination of notifications."
PRINCIPAL = "s3.amazonaws.com"
_MARK = "_trigger_stack_original"


def _matching_filter(notification_filter: Any, key_name: str) -> bool:
    rules = ((notification_filter or {}).get("Key") or {}).get("FilterRules") or []
    return passes(unquote(key_name), rules)


def _bucket(account: str, name: str) -> Any:
    store = s3_stores[account]["us-east-1"]  # buckets are the same in the store of each region
    owner = store.global_bucket_map.get(name, account)
    return s3_stores[owner]["us-east-1"].buckets.get(name)


def _check_permission(bucket: str, account: str, arn: str) -> None:
    """Before S3 sends a test event, or none to a function.

    Raises:
        InvalidArgument: The destination's policy does not let S3 in; the texts are AWS's.
    """
    source = f"arn:aws:s3:::{bucket}"
    if resource_policies().why_not(PRINCIPAL, arn, source, account) is None:
        return
    kind = {"lambda": "function", "sns": "topic", "sqs": "queue"}[arn.split(":")[2]]
    if kind == "function":
        why = f"Not authorized to invoke function [{arn}]"
        raise InvalidArgument(_NOT_VALID, ArgumentName=f"{arn}, null", ArgumentValue=why)
    why = (
        f"Permissions on the destination {kind} do not allow S3 to publish notifications from this"
        " bucket"
    )
    raise InvalidArgument(_NOT_VALID, ArgumentName=arn, ArgumentValue=why)


def _check(
    dispatcher: Any, configuration: dict[str, Any], bucket: Any, *, asks_policies: bool
) -> None:
    """Before LocalStack's own checks: those send test events to queues and topics."""
    given = [
        (dispatcher.notifiers[kind], one)
        for kind, several in configuration.items()
        if isinstance(several, list)
        for one in several
    ]
    for notifier, one in given:
        events = one.get("Events") or []
        if not events:
            raise MalformedXML
        if not _EVENTS.issuperset(events):
            raise InvalidArgument(_NO_EVENT)
        arn, argument = notifier._get_arn_value_and_name(one)
        parts = arn.split(":")
        if bucket is None or len(parts) <= 5:
            continue  # LocalStack says it
        if parts[3] != bucket.bucket_region:
            raise InvalidArgument(_OTHER_REGION, ArgumentName=argument, ArgumentValue=arn)
        if arn.endswith(".fifo"):
            raise InvalidArgument(_NOT_VALID, ArgumentName=arn, ArgumentValue=_FIFO)
        if asks_policies and parts[2] == notifier.service_name:
            _check_permission(bucket.name, bucket.bucket_account_id, arn)
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
        bucket = _bucket(context.account_id, bucket_name)
        asks = not skip_destination_validation
        _check(dispatcher, notification_configurations, bucket, asks_policies=asks)
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

"""The patches of LocalStack's notifications of buckets are still needed."""

from __future__ import annotations

import datetime
import inspect
import json
from typing import Any

from localstack.services.s3 import notifications
from localstack.services.s3.models import KeyStore
from localstack.services.s3.notifications import (
    BaseNotifier,
    EventBridgeNotifier,
    NotificationDispatcher,
    S3EventNotificationContext,
    SqsNotifier,
)

from trigger_stack.localstack.s3 import configurations, events


def original(owner: Any, name: str) -> Any:
    """LocalStack's own, whether it is patched in this process or not."""
    found = getattr(owner, name)
    return getattr(found, events._MARK, found)


def context(event: str, key: str = "a") -> S3EventNotificationContext:
    return S3EventNotificationContext(
        request_id="1",
        event_type=event,
        event_time=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        account_id="000000000000",
        region="us-east-1",
        bucket_name="b",
        key_name=key,
        xray="",
        bucket_location="us-east-1",
        bucket_account_id="000000000000",
        caller="000000000000",
        key_size=1,
        key_etag="e",
        key_version_id="",
        key_expiry=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        key_storage_class=None,
    )


def entry(event: str) -> dict[str, Any]:
    made = original(EventBridgeNotifier, "_get_event_payload")(context(event))
    detail: dict[str, Any] = json.loads(made["Detail"])
    return detail


def test_localstack_still_has_one_sequencer() -> None:
    """When this fails, LocalStack's sequencers may do."""
    payload = original(BaseNotifier, "_get_event_payload")
    one, two = (payload(context("s3:ObjectCreated:Put"), "id")["Records"][0] for _ in range(2))

    assert one["s3"]["object"]["sequencer"] == two["s3"]["object"]["sequencer"]
    assert (
        entry("s3:ObjectCreated:Put")["object"]["sequencer"] != (one["s3"]["object"]["sequencer"])
    )


def test_localstack_still_writes_other_reasons() -> None:
    """When this fails, LocalStack names the request, and who has sent it."""
    whole = "s3:ObjectCreated:CompleteMultipartUpload"

    assert entry(whole)["reason"] == whole
    assert entry("s3:ObjectCreated:Post")["reason"] == "PostObject"
    assert entry(whole)["requester"] == "074255357339"
    assert "sequencer" in entry("s3:ObjectTagging:Put")["object"]


def test_localstack_still_writes_keys_in_its_own_way() -> None:
    """When this fails, see what the payloads still do with the key."""
    source = inspect.getsource(S3EventNotificationContext)

    assert "key_name=quote(s3_object.key)" in source


def test_localstack_still_compares_the_encoded_key() -> None:
    """When this fails, LocalStack decodes prefixes and suffixes, or the key."""
    source = inspect.getsource(notifications).partition("def _matching_filter(")[2]

    assert "key_name.startswith(value)" in source.partition("class ")[0]
    assert "unquote" not in source


def test_localstack_still_takes_whatever_overlaps_and_is_elsewhere() -> None:
    """When this fails, LocalStack checks the configuration as a whole."""
    verify = original(NotificationDispatcher, "verify_configuration")
    one = {"QueueArn": "arn:aws:sqs:eu-west-1:000000000000:q", "Events": ["s3:ObjectCreated:*"]}
    given = {"QueueConfigurations": [dict(one), dict(one)]}
    request: Any = context("")
    dispatcher: Any = object.__new__(NotificationDispatcher)

    verify(dispatcher, given, True, request, "b")


def test_localstack_still_has_the_stores_that_are_stamped() -> None:
    """A change of LocalStack that goes around them leaves changes without a stamp."""
    assert list(inspect.signature(original(KeyStore, "set")).parameters)[1:] == [
        "object_key",
        "s3_object",
    ]
    assert SqsNotifier()._get_arn_value_and_name({"QueueArn": "a"}) == ("a", "Queue")
    assert configurations._MARK == events._MARK

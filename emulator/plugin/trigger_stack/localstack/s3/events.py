"""What an event of a bucket says is what AWS says: sequencer, key, reason.

What: ``set`` and ``pop`` of LocalStack's two key stores, ``from_request_context`` of its context,
``NotificationDispatcher.send_notifications``, and the two ``_get_event_payload`` are wrapped.
Why: LocalStack writes the same sequencer into each event, so none says which change was the later
one. In a key it writes ``%20`` for a space where AWS writes ``+``, and in an event of the bus,
where AWS encodes nothing, the encoded one. The reason of an upload in parts is
``s3:ObjectCreated:CompleteMultipartUpload``, that of a form ``PostObject``, and whoever asks is
account 074255357339. A change of tags has a size and a sequencer on the bus.
Until: LocalStack writes sequencers, keys and reasons as AWS.
Test: ``tests/delivery/test_s3_events.py``, ``tests/unit/plugin/test_s3_patches.py``. AWS topics:
Amazon S3 User Guide, "Event message structure" and "EventBridge event message structure".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote_plus, unquote

from localstack.services.s3.models import KeyStore, VersionedKeyStore
from localstack.services.s3.notifications import (
    BaseNotifier,
    EventBridgeNotifier,
    NotificationDispatcher,
    S3EventNotificationContext,
)

from trigger_stack.delivery.s3.sequencer import Sequencers

_sequencers = Sequencers()
#: Two changes of one key have their sequencers in the order in which they were made.
_changing = threading.Lock()
#: Attributes of an object: when it was put, and when it was taken out.
_PUT, _TAKEN = "_trigger_stack_put", "_trigger_stack_taken"
_MARK = "_trigger_stack_original"
#: The request, where it is not the end of the event's type.
_REASONS = {"Put": "PutObject", "Copy": "CopyObject", "Post": "POST Object"}


def _stamping_set(original: Callable[..., None]) -> Callable[..., None]:
    def stamp_and_set(store: Any, object_key: str, s3_object: Any) -> None:
        with _changing:
            setattr(s3_object, _PUT, _sequencers.next())
            original(store, object_key, s3_object)

    return stamp_and_set


def _stamping_pop(original: Callable[..., Any]) -> Callable[..., Any]:
    def pop_and_stamp(store: Any, *arguments: Any, **named: Any) -> Any:
        with _changing:
            taken = original(store, *arguments, **named)
            if taken is not None:
                setattr(taken, _TAKEN, _sequencers.next())
            return taken

    return pop_and_stamp


def _with_object(original: Callable[..., Any]) -> Callable[..., Any]:
    def from_request_context(_: type, request_context: Any, s3_bucket: Any, s3_object: Any) -> Any:
        context: Any = original(request_context, s3_bucket=s3_bucket, s3_object=s3_object)
        context.s3_object = s3_object
        return context

    return from_request_context


def _sequenced(original: Callable[..., None]) -> Callable[..., None]:
    def send_notifications(dispatcher: Any, ctx: Any, notification_config: Any) -> None:
        # What changes no object, and the removal of a key that was not there, has no stamp.
        stamp = None
        if ctx.event_type.startswith(("s3:ObjectCreated:", "s3:ObjectRemoved:DeleteMarker")):
            stamp = getattr(ctx.s3_object, _PUT, None)
        elif ctx.event_type.startswith("s3:ObjectRemoved:"):
            stamp = getattr(ctx.s3_object, _TAKEN, None)
        ctx.sequencer = stamp or _sequencers.next()
        original(dispatcher, ctx, notification_config)

    return send_notifications


def _record(original: Callable[..., Any]) -> Callable[..., Any]:
    def event_payload(ctx: Any, config_id: Any) -> Any:
        payload: Any = original(ctx, config_id)
        for one in payload["Records"]:
            about = one["s3"]["object"]
            about["key"] = quote_plus(unquote(ctx.key_name), safe="/")
            if "sequencer" in about:
                about["sequencer"] = ctx.sequencer
        return payload

    return event_payload


def _entry(original: Callable[..., Any]) -> Callable[..., Any]:
    def event_of_bus(ctx: Any, config_id: Any = None) -> Any:
        entry: Any = original(ctx, config_id)
        detail = json.loads(entry["Detail"])
        about, kind = detail["object"], ctx.event_type
        about["key"] = unquote(ctx.key_name)
        if kind.startswith("s3:ObjectTagging:"):
            del about["sequencer"], about["size"]
        elif "sequencer" in about:
            about["sequencer"] = ctx.sequencer
        if kind.startswith("s3:ObjectCreated:"):
            request = kind.rpartition(":")[2]
            detail["reason"] = _REASONS.get(request, request)
        by_service = kind == "s3:ObjectRestore:Completed"
        detail["requester"] = "s3.amazonaws.com" if by_service else ctx.account_id
        return {**entry, "Detail": json.dumps(detail)}

    return event_of_bus


def install() -> None:
    """Patch LocalStack. Idempotent."""
    if hasattr(NotificationDispatcher.send_notifications, _MARK):
        return
    for owner, name, make, form in (
        (KeyStore, "set", _stamping_set, None),
        (KeyStore, "pop", _stamping_pop, None),
        (VersionedKeyStore, "set", _stamping_set, None),
        (VersionedKeyStore, "pop", _stamping_pop, None),
        (S3EventNotificationContext, "from_request_context", _with_object, classmethod),
        (NotificationDispatcher, "send_notifications", _sequenced, None),
        (BaseNotifier, "_get_event_payload", _record, staticmethod),
        (EventBridgeNotifier, "_get_event_payload", _entry, staticmethod),
    ):
        original = getattr(owner, name)
        patched = wraps(original)(make(original))
        setattr(patched, _MARK, original)
        setattr(owner, name, form(patched) if form else patched)

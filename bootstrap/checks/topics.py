"""Topics and their subscriptions (Amazon SNS, "Message filtering", "FIFO topics", "Raw delivery").

Amazon SNS Developer Guide: "Amazon SNS subscription filter policies", "Filter policy constraints",
"Amazon SNS raw message delivery", "Amazon SNS message delivery for FIFO topics".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.patterns import may_be_absent
from bootstrap.checks.view import (
    FUNCTION,
    QUEUE,
    SUBSCRIPTION,
    TOPIC,
    View,
    mappings_in,
    own_name,
    qualified,
    within,
)
from bootstrap.definition.document import KeyPath
from bootstrap.template import Resource

#: How long SNS waits for an endpoint: "Amazon SNS message delivery retries".
_WAITS_S = 15
_YES = (True, "true")
#: What a protocol delivers to: it is called like the service.
_ENDPOINTS = {kind.split("::")[1].lower(): kind for kind in (QUEUE, FUNCTION)}
#: Keys at the top of what a queue gets without raw delivery.
_ENVELOPE = frozenset(
    (
        *("Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SequenceNumber"),
        *("SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL"),
        "MessageAttributes",
    )
)


class _Subscription(NamedTuple):
    """A subscription, of its own or inside a topic.

    Attributes:
        topic: when it is the service's own.
        path: keys of ``owner`` above ``body``.
    """

    owner: Resource
    topic: Resource | None
    body: dict[str, Any]
    path: KeyPath

    def at(self, view: View, *keys: str | int) -> KeyPath:
        return view.at(self.owner, *self.path, *keys)


def _subscriptions(view: View) -> Iterator[_Subscription]:
    for one in view.of(SUBSCRIPTION):
        yield _Subscription(one, view.target(one.properties["TopicArn"]), one.properties, ())
    for topic in view.of(TOPIC):
        for index, body in enumerate(mappings_in(topic.properties.get("Subscription"))):
            yield _Subscription(topic, topic, body, ("Subscription", index))


@rule("TS741", Severity.ERROR, mend="Write each value in a list; nest with MessageBody only.")
def refused_filter(view: View) -> Iterator[Hit]:
    """SNS refuses the filter policy."""
    for one in _subscriptions(view):
        policy = one.body.get("FilterPolicy")
        if not isinstance(policy, dict):
            continue
        nests = one.body.get("FilterPolicyScope") == "MessageBody"
        for key, value in policy.items():
            at = one.at(view, "FilterPolicy", key)
            if key == "$or":
                continue
            if isinstance(value, dict) and not nests:
                yield Hit(f"{key} has keys below it, and attributes have none.", at)
            elif isinstance(value, list) and not value:
                yield Hit(f"The list of {key} is empty.", at)
            elif not isinstance(value, dict | list):
                yield Hit(f"The value of {key} must stand in a list.", at)


@rule("TS742", Severity.ERROR, mend="Remove RawMessageDelivery: a function always gets a record.")
def raw_for_functions(view: View) -> Iterator[Hit]:
    """SNS refuses raw delivery to a function."""
    for one in _subscriptions(view):
        if one.body.get("Protocol") == "lambda" and one.body.get("RawMessageDelivery") in _YES:
            what = f"The subscription {one.owner.logical_id} delivers raw to a function."
            yield Hit(what, one.at(view, "RawMessageDelivery"))


@rule("TS743", Severity.ERROR, mend="Subscribe a queue of the topic's own kind.")
def unequal_kinds(view: View) -> Iterator[Hit]:
    """SNS refuses a FIFO queue of a standard topic, and what is no queue of a FIFO topic."""
    for one in _subscriptions(view):
        found, topic = view.target(one.body.get("Endpoint")), one.topic
        if topic is None or topic.type != TOPIC:
            continue
        is_fifo = topic.properties.get("FifoTopic") in _YES
        protocol = one.body.get("Protocol")
        if is_fifo and isinstance(protocol, str) and protocol not in _ENDPOINTS:
            what = f"{topic.logical_id} is a FIFO topic, which delivers to queues only."
            yield Hit(what, one.at(view, "Protocol"))
        if found is None:
            continue
        if found.type == QUEUE and found.properties.get("FifoQueue") in _YES and not is_fifo:
            what = f"{found.logical_id} is a FIFO queue, and {topic.logical_id} no FIFO topic."
            yield Hit(what, one.at(view, "Endpoint"))
        elif found.type == FUNCTION and is_fifo:
            what = f"{topic.logical_id} is a FIFO topic, which delivers to queues only."
            yield Hit(what, one.at(view, "Endpoint"))


@rule("TS744", Severity.ERROR, mend="Write the ARN: !GetAtt <resource>.Arn.")
def no_endpoint(view: View) -> Iterator[Hit]:
    """SNS delivers to the ARN of what the protocol is for, and to nothing else."""
    for one in _subscriptions(view):
        value, protocol = one.body.get("Endpoint"), one.body.get("Protocol")
        wanted, found = _ENDPOINTS.get(str(protocol)), view.target(value)
        if wanted is None or found is None:
            continue
        if wanted == FUNCTION and qualified(view, value) is not None:
            continue
        at = one.at(view, "Endpoint")
        if found.type != wanted:
            yield Hit(f"{found.logical_id} is no endpoint of the protocol {protocol}.", at)
        elif view.text(value) == f"${{{found.logical_id}}}":
            yield Hit(f"!Ref {found.logical_id} is not its ARN.", at)


@rule("TS745", Severity.WARNING, mend="Set RawMessageDelivery: true, or filter in the topic.")
def filter_of_an_envelope(view: View) -> Iterator[Hit]:
    """SNS puts a message into an envelope, whose keys the queue's filter does not ask for."""
    enveloped = {
        queue.logical_id: one.owner
        for one in _subscriptions(view)
        if one.body.get("RawMessageDelivery") not in _YES
        and (queue := view.target(one.body.get("Endpoint"))) is not None
    }
    for mapping in view.queue_mappings:
        if mapping.source is None or mapping.source.logical_id not in enveloped:
            continue
        filters = mappings_in(within(mapping.resource.properties, "FilterCriteria", "Filters"))
        if filters and all(_asks_for_other_keys(one.get("Pattern")) for one in filters):
            owner = enveloped[mapping.source.logical_id].logical_id
            yield Hit(
                f"{owner} delivers to {mapping.source.logical_id} in an envelope, and the filter"
                " deletes all of it.",
                view.at(mapping.resource, "FilterCriteria"),
            )


def _asks_for_other_keys(pattern: Any) -> bool:
    """Whether a filter asks for a key of the body that no envelope has."""
    try:
        body = within(json.loads(str(pattern)), "body")
    except ValueError:
        return False
    keys = body.items() if isinstance(body, dict) else ()
    return any(
        key not in _ENVELOPE and key != "$or" and not may_be_absent(value) for key, value in keys
    )


@rule("TS746", Severity.WARNING, mend="Set a timeout of 15 seconds or less.")
def longer_than_sns_waits(view: View) -> Iterator[Hit]:
    """SNS waits 15 seconds for an endpoint and sends again, while the function is still at work."""
    for one in _subscriptions(view):
        function = view.behind_url(one.body.get("Endpoint"))
        if function is not None and view.timeout(function) > _WAITS_S:
            what = f"{own_name(function)} may take {view.timeout(function)} s."
            yield Hit(what, one.at(view, "Endpoint"))

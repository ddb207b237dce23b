"""Queues: where a message can be lost, processed twice, or wait for nothing.

Amazon SQS, "Dead-letter queues"; AWS Lambda, "Using Lambda with Amazon SQS".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import (
    INVOKE_CONFIG,
    PIPE,
    QUEUE,
    RULE,
    SCHEDULE,
    SUBSCRIPTION,
    Mapping,
    View,
    arn_type,
    entries,
    own_name,
    whole,
    within,
)
from bootstrap.definition.document import KeyPath
from bootstrap.template import Resource

_DAYS_4 = 345_600
_BATCH_ITEM_FAILURES = "ReportBatchItemFailures"
_ANSWERS = (
    "batchItemFailures",
    "process_partial_response",
    "async_process_partial_response",
    "batch_processor",
    "async_batch_processor",
)


def _dead_letter(view: View, queue: Resource) -> Resource | None:
    return view.target(within(queue.properties, "RedrivePolicy", "deadLetterTargetArn"))


def _fifo(queue: Resource) -> bool:
    return queue.properties.get("FifoQueue") in (True, "true")


@rule(
    "TS101",
    Severity.WARNING,
    mend="Give it a RedrivePolicy with a dead-letter queue and a maxReceiveCount of 3 or more.",
)
def no_redrive_policy(view: View) -> Iterator[Hit]:
    """A message that always fails is tried until it expires, and is lost then."""
    read = {m.source.logical_id: m.source for m in view.queue_mappings if m.source and m.function}
    for queue in read.values():
        if "RedrivePolicy" not in queue.properties:
            yield Hit(f"{queue.logical_id} has no RedrivePolicy.", view.at(queue))


@rule("TS102", Severity.ERROR, mend="Name another queue, which nothing but people reads.")
def own_dead_letter_queue(view: View) -> Iterator[Hit]:
    """SQS refuses a queue that is its own dead-letter queue."""
    for queue in view.of(QUEUE):
        if _dead_letter(view, queue) is queue:
            at = view.at(queue, "RedrivePolicy", "deadLetterTargetArn")
            yield Hit(f"{queue.logical_id} is its own dead-letter queue.", at)


@rule(
    "TS103",
    Severity.WARNING,
    mend="Let nothing, or another function, read the dead-letter queue.",
)
def failures_come_back(view: View) -> Iterator[Hit]:
    """What failed goes round in a circle until it expires, and is lost then."""
    readers: dict[str, list[Mapping]] = defaultdict(list)
    for mapping in view.queue_mappings:
        if mapping.source and mapping.function:
            readers[mapping.source.logical_id].append(mapping)
    for mapping in (m for own in readers.values() for m in own):
        assert mapping.function
        places = [view.target(view.on_failure(mapping.function))]
        for other in view.mappings:
            if other.function is mapping.function and other.source is not mapping.source:
                places.append(_dead_letter(view, other.source) if other.source else None)
                places.append(
                    view.target(
                        within(
                            other.resource.properties,
                            "DestinationConfig",
                            "OnFailure",
                            "Destination",
                        )
                    )
                )
        if any(place is mapping.source for place in places if place is not None):
            name = mapping.source.logical_id if mapping.source else ""
            yield Hit(
                f"{own_name(mapping.function)} reads {name}, where its own failures land.",
                view.at(mapping.resource, "EventSourceArn"),
            )
    for queue in view.of(QUEUE):
        way = [queue]
        while (following := _dead_letter(view, way[-1])) is not None and following not in way:
            way.append(following)
        if following is queue and len(way) > 1:
            names = " → ".join(one.logical_id for one in (*way, queue))
            at = view.at(queue, "RedrivePolicy", "deadLetterTargetArn")
            yield Hit(f"The dead letters go in a circle: {names}.", at)


@rule(
    "TS104",
    Severity.WARNING,
    mend="Set MessageRetentionPeriod of the dead-letter queue to 1209600 (14 days).",
)
def short_retention(view: View) -> Iterator[Hit]:
    """A dead letter keeps the time it was first sent, and expires before anyone has seen it."""
    for queue in view.of(QUEUE):
        letters = _dead_letter(view, queue)
        if letters is None or letters is queue or letters.type != QUEUE:
            continue
        source = whole(queue.properties.get("MessageRetentionPeriod"), _DAYS_4)
        kept = whole(letters.properties.get("MessageRetentionPeriod"), _DAYS_4)
        if source is not None and kept is not None and kept < source:
            yield Hit(
                f"{letters.logical_id} keeps messages for {kept} s, its source "
                f"{queue.logical_id} for {source} s.",
                view.at(letters, "MessageRetentionPeriod"),
            )


@rule("TS105", Severity.ERROR, mend="Make both queues FIFO, or both standard.")
def mixed_kinds(view: View) -> Iterator[Hit]:
    """AWS refuses a dead-letter queue or destination of the other kind."""
    for queue in view.of(QUEUE):
        name = view.name(queue) or ""
        if "${" not in name and name.endswith(".fifo") != _fifo(queue):
            yield Hit(
                f"{queue.logical_id}: the name of a FIFO queue, and of no other, ends in .fifo.",
                view.at(queue, "QueueName"),
            )
        letters = _dead_letter(view, queue)
        if letters is not None and letters.type == QUEUE and _fifo(letters) != _fifo(queue):
            kind = "a FIFO queue" if _fifo(queue) else "a standard queue"
            yield Hit(
                f"{queue.logical_id} is {kind}, its dead-letter queue {letters.logical_id} is not.",
                view.at(queue, "RedrivePolicy", "deadLetterTargetArn"),
            )
    for one in view.of(SUBSCRIPTION):
        topic = view.target(one.properties["TopicArn"])
        letters = view.target(within(one.properties, "RedrivePolicy", "deadLetterTargetArn"))
        if topic is None or letters is None or letters.type != QUEUE:
            continue
        if (topic.properties.get("FifoTopic") in (True, "true")) != _fifo(letters):
            what = f"{letters.logical_id} and the topic {topic.logical_id} are not of one kind."
            yield Hit(what, view.at(one, "RedrivePolicy", "deadLetterTargetArn"))
    for place, value in _failure_places(view):
        letters = view.target(value)
        if letters is not None and letters.type == QUEUE and _fifo(letters):
            what = f"{letters.logical_id} is a FIFO queue, and failures go to standard queues only."
            yield Hit(what, place)


def _failure_places(view: View) -> Iterator[tuple[KeyPath, object]]:
    """Where asynchronous failures go, redrive policies of queues and topics left out."""
    for config in view.of(INVOKE_CONFIG):
        value = within(config.properties, "DestinationConfig", "OnFailure", "Destination")
        yield view.at(config, "DestinationConfig", "OnFailure"), value
    for function in view.functions:
        value = within(function.properties, "DeadLetterConfig", "TargetArn")
        yield view.at(function, "DeadLetterConfig"), value
    for target in view.targets:
        value = within(target.body, "DeadLetterConfig", "Arn")
        yield view.at(target.rule, "Targets", target.index, "DeadLetterConfig"), value
    for schedule in view.of(SCHEDULE):
        value = within(schedule.properties, "Target", "DeadLetterConfig", "Arn")
        yield view.at(schedule, "Target", "DeadLetterConfig"), value
    for mapping in view.mappings:
        value = within(mapping.resource.properties, "DestinationConfig", "OnFailure", "Destination")
        yield view.at(mapping.resource, "DestinationConfig", "OnFailure"), value


@rule(
    "TS106",
    Severity.WARNING,
    mend="Describe the queue here and refer to it with !GetAtt <queue>.Arn.",
)
def foreign_dead_letter_queue(view: View) -> Iterator[Hit]:
    """Nothing here makes sure that the queue exists, may be sent to, and keeps what it gets."""
    places = list(_failure_places(view))
    for owner in (*view.of(QUEUE), *view.of(SUBSCRIPTION)):
        value = within(owner.properties, "RedrivePolicy", "deadLetterTargetArn")
        places.append((view.at(owner, "RedrivePolicy", "deadLetterTargetArn"), value))
    for place, value in places:
        text = view.text(value) or ""
        if isinstance(value, str):
            yield Hit(f"The place for failures is the literal “{value}”.", place)
        elif arn_type(text) == QUEUE and "${" not in text and view.target(value) is None:
            yield Hit(f"Nothing here makes the place for failures, {text}.", place)


@rule("TS107", Severity.WARNING, mend="Set maxReceiveCount to 3 or more; AWS recommends 5.")
def few_receives(view: View) -> Iterator[Hit]:
    """A throttled or interrupted invocation counts as a receive, so good messages end as dead."""
    for queue in view.of(QUEUE):
        count = whole(within(queue.properties, "RedrivePolicy", "maxReceiveCount"), 10)
        if count is not None and count < 3:
            yield Hit(
                f"{queue.logical_id} gives up after {count} receive{'s' if count > 1 else ''}.",
                view.at(queue, "RedrivePolicy", "maxReceiveCount"),
            )


def _visibility(mapping: Mapping) -> int | None:
    source = mapping.source
    return whole(source.properties.get("VisibilityTimeout"), 30) if source else None


@rule(
    "TS108",
    Severity.ERROR,
    mend="Set VisibilityTimeout to six times the function's time-out plus the batching window.",
)
def visible_while_processed(view: View) -> Iterator[Hit]:
    """Lambda refuses a queue whose messages come back before the function has timed out."""
    for mapping in view.queue_mappings:
        visibility = _visibility(mapping)
        if mapping.source is None or mapping.function is None or visibility is None:
            continue
        if visibility < (timeout := view.timeout(mapping.function)):
            yield Hit(
                f"{mapping.source.logical_id} hides messages for {visibility} s, and "
                f"{own_name(mapping.function)} may take {timeout} s.",
                view.at(mapping.source, "VisibilityTimeout"),
            )


@rule(
    "TS109",
    Severity.WARNING,
    mend="Set VisibilityTimeout to six times the function's time-out plus the batching window.",
)
def visible_too_soon(view: View) -> Iterator[Hit]:
    """Messages that wait for a throttled function come back, and count as received once more."""
    for mapping in view.queue_mappings:
        visibility = _visibility(mapping)
        if mapping.source is None or mapping.function is None or visibility is None:
            continue
        timeout = view.timeout(mapping.function)
        window = whole(mapping.resource.properties.get("MaximumBatchingWindowInSeconds"), 0) or 0
        if timeout <= visibility < 6 * timeout + window:
            yield Hit(
                f"{mapping.source.logical_id} hides messages for {visibility} s; "
                f"{own_name(mapping.function)} needs 6 * {timeout} s + {window} s = "
                f"{6 * timeout + window} s.",
                view.at(mapping.source, "VisibilityTimeout"),
            )


def _reports(mapping: Mapping) -> bool:
    return _BATCH_ITEM_FAILURES in (mapping.resource.properties.get("FunctionResponseTypes") or ())


@rule(
    "TS110",
    Severity.WARNING,
    mend="Set functionResponseType: ReportBatchItemFailures and return batchItemFailures.",
)
def whole_batch_fails(view: View) -> Iterator[Hit]:
    """One bad message makes the whole batch fail, and its good neighbours end as dead letters."""
    for mapping in view.queue_mappings:
        size = whole(mapping.resource.properties.get("BatchSize"), 10)
        if size is not None and size > 1 and not _reports(mapping):
            yield Hit(
                f"Batches of up to {size} messages succeed or fail as one.",
                view.at(mapping.resource, "BatchSize"),
            )


@rule(
    "TS111",
    Severity.WARNING,
    mend="Return {'batchItemFailures': […]}, as Powertools' process_partial_response does.",
)
def reports_nothing(view: View) -> Iterator[Hit]:
    """An answer without batchItemFailures says that all succeeded, and the messages are deleted."""
    for mapping in view.mappings:
        if mapping.function is None or not _reports(mapping):
            continue
        code = view.sources.code(mapping.function)
        if not code.modules or code.broken or code.says(*_ANSWERS):
            continue
        name = str(mapping.function.properties.get("Handler")).rpartition(".")[2]
        if name in code.modules[0].imports:  # another package's handler
            continue
        yield Hit(
            f"{own_name(mapping.function)} is to report failed items, and its code never does.",
            view.at(mapping.resource, "FunctionResponseTypes"),
        )


@rule(
    "TS112",
    Severity.WARNING,
    mend="Set functionResponseType: ReportBatchItemFailures at the event.",
)
def report_is_ignored(view: View) -> Iterator[Hit]:
    """Lambda does not read the answer, and deletes the messages that it reports as failed."""
    for mapping in view.mappings:
        if mapping.function is None or _reports(mapping):
            continue
        if view.sources.code(mapping.function).says(*_ANSWERS):
            yield Hit(
                f"{own_name(mapping.function)} reports failed items, and this trigger ignores it.",
                view.at(mapping.resource),
            )


@rule(
    "TS113",
    Severity.WARNING,
    mend="Make sure that nobody else needs those messages, and say so in a suppression.",
)
def filter_deletes(view: View) -> Iterator[Hit]:
    """Lambda deletes the messages of a queue that match no filter; they reach no function."""
    for mapping in view.queue_mappings:
        if within(mapping.resource.properties, "FilterCriteria", "Filters"):
            yield Hit(
                "Messages that the filter does not match are deleted.",
                view.at(mapping.resource, "FilterCriteria"),
            )


@rule(
    "TS114",
    Severity.WARNING,
    mend="Give each function a queue of its own, both subscribed to one topic.",
)
def shared_queue(view: View) -> Iterator[Hit]:
    """Each message reaches only one of the functions, and nobody can say which."""
    first: dict[str, Mapping] = {}
    for mapping in view.queue_mappings:
        if mapping.source is None or mapping.function is None or not mapping.enabled:
            continue
        before = first.setdefault(mapping.source.logical_id, mapping)
        if before.function is not mapping.function and before.function is not None:
            yield Hit(
                f"{own_name(mapping.function)} and {own_name(before.function)} both read "
                f"{mapping.source.logical_id}.",
                view.at(mapping.resource, "EventSourceArn"),
            )


@rule("TS115", Severity.WARNING, mend="Remove reservedConcurrency, or set what the function needs.")
def never_runs(view: View) -> Iterator[Hit]:
    """Every invocation is throttled; asynchronous events are dropped when they are too old."""
    for function in view.functions:
        if whole(function.properties.get("ReservedConcurrentExecutions")) == 0:
            yield Hit(
                f"{own_name(function)} has a reservedConcurrency of 0.",
                view.at(function, "ReservedConcurrentExecutions"),
            )


@rule(
    "TS116",
    Severity.WARNING,
    mend="Use maximumConcurrency at the event instead, or a reservedConcurrency of 5 or more.",
)
def throttled_pollers(view: View) -> Iterator[Hit]:
    """Lambda has five pollers at least; throttled ones use up the receives of good messages."""
    for mapping in view.queue_mappings:
        function = mapping.function
        if function is None:
            continue
        reserved = whole(function.properties.get("ReservedConcurrentExecutions"))
        most = whole(within(mapping.resource.properties, "ScalingConfig", "MaximumConcurrency"))
        if reserved and reserved < 5 and (most is None or most > reserved):
            yield Hit(
                f"{own_name(function)} reads a queue with a reservedConcurrency of {reserved}.",
                view.at(function, "ReservedConcurrentExecutions"),
            )
        elif reserved and most and most > reserved:
            yield Hit(
                f"{most} pollers may invoke {own_name(function)}, which has a reservedConcurrency"
                f" of {reserved}.",
                view.at(mapping.resource, "ScalingConfig"),
            )


@rule("TS117", Severity.WARNING, mend="Remove enabled: false, or the trigger.")
def disabled(view: View) -> Iterator[Hit]:
    """A rule that is off drops its events, and a queue that is not read lets them expire."""
    for mapping in view.mappings:
        if not mapping.enabled:
            yield Hit("The trigger is switched off.", view.at(mapping.resource, "Enabled"))
    for resource in view.of(RULE):
        if resource.properties.get("State") == "DISABLED":
            yield Hit("The rule is switched off.", view.at(resource, "State"))
    for schedule in view.of(SCHEDULE):
        if schedule.properties.get("State") == "DISABLED":
            yield Hit("The schedule is switched off.", view.at(schedule, "State"))
    for pipe in view.of(PIPE):
        if pipe.properties.get("DesiredState") == "STOPPED":
            yield Hit("The pipe is switched off.", view.at(pipe, "DesiredState"))
    for alarm in {one.logical_id: one for one, _, _, _ in view.alarm_actions}.values():
        if alarm.properties.get("ActionsEnabled") in (False, "false"):
            yield Hit("The actions are switched off.", view.at(alarm, "ActionsEnabled"))


@rule(
    "TS118",
    Severity.ERROR,
    mend="Refer to a queue of this file with !GetAtt <queue>.Arn.",
)
def no_dead_letter_queue(view: View) -> Iterator[Hit]:
    """SQS takes only a queue of the same account and region, by its ARN, for dead letters."""
    for queue in view.of(QUEUE):
        value = within(queue.properties, "RedrivePolicy", "deadLetterTargetArn")
        at = view.at(queue, "RedrivePolicy", "deadLetterTargetArn")
        own, text = _dead_letter(view, queue), view.text(value) or ""
        parts = text.split(":")
        if own is not None and own.type != QUEUE:
            yield Hit(f"{own.logical_id} is no queue.", at)
        elif own is not None and text == f"${{{own.logical_id}}}":
            yield Hit(f"!Ref {own.logical_id} is the queue's URL, not its ARN.", at)
        elif own is None and "${" not in text and len(parts) == 6:
            if arn_type(text) != QUEUE:
                yield Hit(f"{text} is no queue.", at)
            elif view.region and parts[3] != view.region:
                yield Hit(f"{text} is in another region.", at)


@rule("TS121", Severity.ERROR, mend="Set batchSize to 10 or less, without maximumBatchingWindow.")
def batches_of_fifo(view: View) -> Iterator[Hit]:
    """Lambda takes 10 messages at most from a FIFO queue, and waits for no more of them."""
    for mapping in view.queue_mappings:
        if mapping.source is None or not _fifo(mapping.source):
            continue
        properties, name = mapping.resource.properties, mapping.source.logical_id
        size = whole(properties.get("BatchSize"), 10) or 0
        if size > 10:
            at = view.at(mapping.resource, "BatchSize")
            yield Hit(f"{name} is a FIFO queue, and batchSize is {size}.", at)
        if whole(properties.get("MaximumBatchingWindowInSeconds"), 0):
            at = view.at(mapping.resource, "MaximumBatchingWindowInSeconds")
            yield Hit(f"{name} is a FIFO queue, and the event has a batching window.", at)


@rule("TS120", Severity.ERROR, mend="Name the queue in RedriveAllowPolicy, or remove that.")
def not_let_in(view: View) -> Iterator[Hit]:
    """SQS refuses a dead-letter queue whose RedriveAllowPolicy leaves the source out."""
    for queue in view.of(QUEUE):
        letters = _dead_letter(view, queue)
        allowed = letters.properties.get("RedriveAllowPolicy") if letters is not None else None
        permission = within(allowed, "redrivePermission")
        sources = [view.target(one) for one in entries(within(allowed, "sourceQueueArns"))]
        known = queue in sources or None in sources
        if permission == "denyAll" or (permission == "byQueue" and not known):
            assert letters is not None
            what = f"{letters.logical_id} takes no dead letters of {queue.logical_id}."
            yield Hit(what, view.at(queue, "RedrivePolicy", "deadLetterTargetArn"))


@rule(
    "TS119",
    Severity.WARNING,
    mend="Set MessageRetentionPeriod to more than maxReceiveCount times VisibilityTimeout.",
)
def expires_before_it_is_dead(view: View) -> Iterator[Hit]:
    """A message that always fails expires before it has been received often enough to be dead."""
    for queue in view.of(QUEUE):
        properties = queue.properties
        kept = whole(properties.get("MessageRetentionPeriod"), _DAYS_4)
        hidden = whole(properties.get("VisibilityTimeout"), 30)
        count = whole(within(properties, "RedrivePolicy", "maxReceiveCount"), 10)
        delay = whole(properties.get("DelaySeconds"), 0)
        if kept is None or hidden is None or count is None or delay is None:
            continue
        if "RedrivePolicy" not in properties:
            count = 0
        if kept <= delay + count * hidden:
            yield Hit(
                f"{queue.logical_id} keeps messages for {kept} s; {delay} s + {count} * {hidden} s"
                f" = {delay + count * hidden} s pass before the last receive has ended.",
                view.at(queue, "MessageRetentionPeriod"),
            )

"""Asynchronous invocations and deliveries: whether their failures land anywhere.

AWS Lambda, "How Lambda handles errors and retries with asynchronous invocation"; EventBridge,
"Using dead-letter queues"; Amazon SNS, "Amazon SNS dead-letter queues".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import (
    FUNCTION,
    INVOKE_CONFIG,
    LOG_FILTER,
    SCHEDULE,
    SUBSCRIPTION,
    TOPIC,
    View,
    arn_type,
    mappings_in,
    own_name,
    whole,
    within,
)
from bootstrap.definition.destinations import DESTINATION_TYPES
from bootstrap.template import Resource


@rule(
    "TS201",
    Severity.WARNING,
    mend="Give the function destinations.onFailure with a queue.",
)
def no_destination(view: View) -> Iterator[Hit]:
    """An asynchronous event that failed three times is dropped, and nothing says so."""
    for invocation in view.invocations:
        if not view.on_failure(invocation.function):
            yield Hit(
                f"{own_name(invocation.function)} is invoked asynchronously and has no place for "
                "failures.",
                invocation.at,
            )


@rule(
    "TS202",
    Severity.WARNING,
    mend="Give it deadLetterQueueArn (in resources: DeadLetterConfig of the target).",
)
def no_dead_letter_queue_of_target(view: View) -> Iterator[Hit]:
    """An event that EventBridge cannot deliver within its retries is dropped."""
    for target in view.targets:
        if not within(target.body, "DeadLetterConfig", "Arn"):
            name = target.body.get("Id")
            rule_name = view.name(target.rule) or target.rule.logical_id
            yield Hit(
                f"The target {name} of the rule {rule_name} has no dead-letter queue.",
                target.at,
            )
    for schedule in view.of(SCHEDULE):
        if not within(schedule.properties, "Target", "DeadLetterConfig", "Arn"):
            what = f"The schedule {schedule.logical_id} has no dead-letter queue."
            yield Hit(what, view.at(schedule, "Target"))


@rule("TS203", Severity.WARNING, mend="Give the subscription a redrivePolicy with a queue.")
def no_redrive_policy_of_subscription(view: View) -> Iterator[Hit]:
    """A message that SNS cannot deliver to the endpoint is dropped."""
    for subscription in view.of(SUBSCRIPTION):
        policy = subscription.properties.get("RedrivePolicy")
        if not within(policy, "deadLetterTargetArn"):
            yield Hit(
                f"The subscription {subscription.logical_id} has no dead-letter queue.",
                view.at(subscription),
            )
    for invocation in view.invocations:
        if invocation.principal == "sns.amazonaws.com" and invocation.sender.type != SUBSCRIPTION:
            yield Hit(
                f"The subscription of {own_name(invocation.function)} has no dead-letter queue.",
                invocation.at,
            )
    for topic in view.of(TOPIC):
        for index, body in enumerate(mappings_in(topic.properties.get("Subscription"))):
            if body.get("Protocol") != "lambda":
                what = f"The subscription of {body.get('Protocol')} has no dead-letter queue."
                yield Hit(what, view.at(topic, "Subscription", index))


@rule(
    "TS204",
    Severity.WARNING,
    mend="Allow retries, or name a queue that gets what failed.",
)
def one_try(view: View) -> Iterator[Hit]:
    """One failure, be it a throttle, and the event is dropped."""
    for config in view.of(INVOKE_CONFIG):
        tries = whole(config.properties.get("MaximumRetryAttempts"))
        if tries == 0 and not within(config.properties, "DestinationConfig", "OnFailure"):
            yield Hit(
                "There are no retries, and no destination.", view.at(config, "MaximumRetryAttempts")
            )
    for target in view.targets:
        tries = whole(within(target.body, "RetryPolicy", "MaximumRetryAttempts"))
        if tries == 0 and not within(target.body, "DeadLetterConfig", "Arn"):
            keys = ("Targets", target.index, "RetryPolicy", "MaximumRetryAttempts")
            yield Hit(
                "The target has no retries, and no dead-letter queue.", view.at(target.rule, *keys)
            )
    for schedule in view.of(SCHEDULE):
        body = schedule.properties["Target"]
        tries = whole(within(body, "RetryPolicy", "MaximumRetryAttempts"))
        if tries == 0 and not within(body, "DeadLetterConfig", "Arn"):
            at = view.at(schedule, "Target", "RetryPolicy", "MaximumRetryAttempts")
            yield Hit("The schedule has no retries, and no dead-letter queue.", at)


@rule(
    "TS205",
    Severity.WARNING,
    mend="Remove it; failures of a queue or stream go to the place that its trigger names.",
)
def unused_destination(view: View) -> Iterator[Hit]:
    """Only asynchronous invocations have destinations: what fails otherwise never gets there."""
    invoked = {invocation.function.logical_id for invocation in view.invocations}
    if any(_invokes_unknown(view, function) for function in view.functions):
        return
    for config in view.of(INVOKE_CONFIG):
        function = view.function(config.properties["FunctionName"])
        if function is None or function.logical_id in invoked:
            continue
        if within(config.properties, "DestinationConfig", "OnFailure"):
            yield Hit(
                f"{own_name(function)} has an on-failure destination, and nothing invokes it "
                "asynchronously.",
                view.at(config, "DestinationConfig", "OnFailure"),
            )


@rule("TS207", Severity.WARNING, mend="Send results to a queue, or to a function with none.")
def results_in_a_circle(view: View) -> Iterator[Hit]:
    """A result comes back to who sent it, round and round, and is lost when Lambda stops it."""
    following: dict[str, dict[str, Resource]] = {}
    for config in view.of(INVOKE_CONFIG):
        function = view.function(config.properties["FunctionName"])
        for name in ("OnFailure", "OnSuccess"):
            value = within(config.properties, "DestinationConfig", name, "Destination")
            after = view.function(value)
            if function is not None and after is not None:
                following.setdefault(function.logical_id, {})[name] = after
    for config in view.of(INVOKE_CONFIG):
        function = view.function(config.properties["FunctionName"])
        for name, after in following.get(function.logical_id if function else "", {}).items():
            assert function is not None
            way = _way(following, after, function)
            if way is not None:
                names = " → ".join(own_name(one) for one in (function, *way))
                yield Hit(f"{names}.", view.at(config, "DestinationConfig", name))


def _way(
    following: dict[str, dict[str, Resource]], start: Resource, end: Resource
) -> list[Resource] | None:
    """The functions from one to another, by destinations, both included; None: there is no way."""
    ways, seen = [[start]], {start.logical_id}
    for way in ways:
        if way[-1] is end:
            return way
        for after in following.get(way[-1].logical_id, {}).values():
            if after.logical_id not in seen:
                seen.add(after.logical_id)
                ways.append([*way, after])
    return None


#: ``${<function>.Arn}:<version or alias>``.
_QUALIFIED = re.compile(r"\$\{([A-Za-z0-9]+)\.Arn\}:([\w$-]+)")


@rule("TS208", Severity.ERROR, mend="Use the function's own ARN, without a version or alias.")
def no_such_alias(view: View) -> Iterator[Hit]:
    """The function has no such version or alias, so every invocation is refused."""
    places = [(target.body.get("Arn"), target.at) for target in view.targets]
    places += [(m.resource.properties["FunctionName"], view.at(m.resource)) for m in view.mappings]
    for one in view.of(SUBSCRIPTION):
        places.append((one.properties["Endpoint"], view.at(one, "Endpoint")))
    for one in view.of(SCHEDULE):
        places.append((within(one.properties, "Target", "Arn"), view.at(one, "Target")))
    for one in view.of(LOG_FILTER):
        places.append((one.properties["DestinationArn"], view.at(one, "DestinationArn")))
    for value, at in places:
        found = _QUALIFIED.fullmatch(view.text(value) or "")
        function = view.resources.get(found[1]) if found else None
        if found is None or function is None or function.type != FUNCTION:
            continue
        versions = found[2].isdecimal() and view.of("AWS::Lambda::Version")
        if found[2] != "$LATEST" and not versions and not _is_alias(view, function, found[2]):
            yield Hit(f"{own_name(function)} has no version or alias “{found[2]}”.", at)


def _is_alias(view: View, function: Resource, name: str) -> bool:
    return any(
        alias.properties["Name"] == name
        and view.function(alias.properties["FunctionName"]) in (None, function)
        for alias in view.of("AWS::Lambda::Alias")
    )


def _invokes_unknown(view: View, function: Resource) -> bool:
    """Whether the code invokes a function asynchronously, and which one is not known."""
    return any(
        view.sources.constant(call.module, call.argument("InvocationType")) == "Event"
        and view.function(view.value(function, call, call.argument("FunctionName"))) is None
        for call in view.sources.code(function).calls
        if call.method == "invoke"
    )


@rule("TS206", Severity.ERROR, mend="Write the type of the resource that arn refers to.")
def wrong_destination_type(view: View) -> Iterator[Hit]:
    """The execution role gets the permission for another service, and every record is refused."""
    for function in view.functions:
        if function.path[:1] != ("functions",):
            continue
        given = within(view.written(function.path), "destinations")
        for name in ("onSuccess", "onFailure"):
            body = within(given, name)
            kind = DESTINATION_TYPES.get(str(within(body, "type")))
            arn = within(body, "arn")
            found = view.target(arn)
            actual = found.type if found else arn_type(arn) if isinstance(arn, str) else None
            if kind and actual and kind != actual:
                yield Hit(
                    f"{own_name(function)}: the destination is an {actual}, not of type "
                    f"{body['type']}.",
                    (*function.path, "destinations", name, "type"),
                )
    for mapping in view.mappings:
        target = within(view.written(mapping.resource.path), "destinations", "onFailure")
        kind = DESTINATION_TYPES.get(str(within(target, "type")))
        found = view.target(within(target, "arn"))
        if kind and found is not None and found.type != kind:
            yield Hit(
                f"The destination is an {found.type}, not of type {target['type']}.",
                (*mapping.resource.path, "destinations", "onFailure", "type"),
            )

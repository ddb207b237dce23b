"""Mail that SES receives: receipt rules (Amazon SES, "Email receiving with Amazon SES")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.policies import grants
from bootstrap.checks.view import (
    BUCKET_POLICY,
    PERMISSION,
    RECEIPT_RULE,
    RULE_SET,
    MailAction,
    View,
    mappings_in,
    own_name,
    texts,
    whole,
    within,
)
from bootstrap.template import Resource, needs

_SES = "ses.amazonaws.com"
_WAITS_S = 30


def _name(receipt_rule: Resource) -> str:
    name = within(receipt_rule.properties, "Rule", "Name")
    return name if isinstance(name, str) else receipt_rule.logical_id


def _bucket_policies(view: View, action: MailAction) -> list[Resource]:
    """The policies of an action's bucket that let SES write."""
    bucket = view.target(action.body.get("BucketName")) or view.called(
        "AWS::S3::Bucket", str(action.body.get("BucketName"))
    )
    return [
        policy
        for policy in view.of(BUCKET_POLICY)
        if bucket is not None and _is_about(view, policy, bucket)
        for statement in mappings_in(within(policy.properties, "PolicyDocument", "Statement"))
        if grants(statement, "s3:PutObject", _SES)
    ]


def _is_about(view: View, policy: Resource, bucket: Resource) -> bool:
    given = policy.properties["Bucket"]
    return view.target(given) is bucket or given == view.name(bucket)


@rule(
    "TS951",
    Severity.ERROR,
    mend="Allow s3:PutObject for ses.amazonaws.com in an AWS::S3::BucketPolicy of the bucket.",
)
def bucket_refuses(view: View) -> Iterator[Hit]:
    """SES refuses a rule that writes to a bucket whose policy does not let it."""
    for action in view.mail_actions:
        if action.kind != "S3Action" or "IamRoleArn" in action.body:
            continue
        name = action.body["BucketName"]
        own = view.target(name) or view.called("AWS::S3::Bucket", str(name))
        if own is not None and not _bucket_policies(view, action):
            yield Hit(f"SES may not write to {own.logical_id}.", action.at)


def _permissions(view: View, action: MailAction) -> list[Resource]:
    """The permissions with which SES may invoke an action's function."""
    function = view.function(action.body.get("FunctionArn"))
    return [
        permission
        for permission in view.of(PERMISSION)
        if function is not None
        and view.function(permission.properties["FunctionName"]) is function
        and permission.properties["Principal"] in (_SES, "*")
    ]


@rule(
    "TS952",
    Severity.ERROR,
    mend="Add an AWS::Lambda::Permission with ses.amazonaws.com as its Principal.",
)
def function_refuses(view: View) -> Iterator[Hit]:
    """SES refuses a rule that asks a function which it may not invoke."""
    for action in view.mail_actions:
        function = view.function(action.body.get("FunctionArn"))
        if function is not None and action.waits and not _permissions(view, action):
            yield Hit(f"SES may not invoke {own_name(function)}.", action.at)


@rule("TS953", Severity.WARNING, mend="Name the policy or permission in DependsOn of the rule.")
def made_too_early(view: View) -> Iterator[Hit]:
    """SES tries out what a rule uses when it is made: the first deploy fails now and then."""
    for action in view.mail_actions:
        allowed = (
            _bucket_policies(view, action)
            if action.kind == "S3Action"
            else _permissions(view, action)
        )
        known = needs(action.rule)
        if allowed and not any(one.logical_id in known for one in allowed):
            what = f"The rule {_name(action.rule)} does not wait for {allowed[0].logical_id}."
            yield Hit(what, action.at)


@rule("TS954", Severity.WARNING, mend="Write Enabled: true.")
def not_enabled(view: View) -> Iterator[Hit]:
    """A receipt rule is off by default, and mail that no enabled rule is for is refused."""
    for one in view.of(RECEIPT_RULE):
        if within(one.properties, "Rule", "Enabled") is None:
            yield Hit(f"The receipt rule {_name(one)} is not enabled.", view.at(one, "Rule"))


@rule("TS955", Severity.WARNING, mend="Put the rules into one rule set.")
def one_is_active(view: View) -> Iterator[Hit]:
    """Only one rule set of an account and region is active: rules in another never see a mail."""
    first, *others = [*view.of(RULE_SET), None]
    for one in others:
        if one is not None and first is not None:
            what = f"{one.logical_id} is a rule set besides {first.logical_id}."
            yield Hit(what, one.path)


@rule("TS956", Severity.WARNING, mend="Put it before the stop, or give the stop fewer recipients.")
def never_reached(view: View) -> Iterator[Hit]:
    """A stop ends the evaluation of the rule set: what comes after it sees no mail."""
    stops = [action for action in view.mail_actions if action.kind == "StopAction"]
    for stop in stops:
        for action in view.mail_actions:
            if action.rule is stop.rule and action.index == stop.index + 1:
                yield Hit(f"{action.kind} comes after the StopAction.", action.at)
    for later in view.of(RECEIPT_RULE):
        for earlier in _before(view, later):
            if any(stop.rule is earlier for stop in stops) and _covers(earlier, later):
                what = f"The rule {_name(earlier)} stops every mail for {_name(later)}."
                yield Hit(what, view.at(later, "After"))
                break


def _before(view: View, receipt_rule: Resource) -> Iterator[Resource]:
    """The rules that certainly come before one: those that ``After`` names, and theirs."""
    seen = {receipt_rule.logical_id}
    while (after := receipt_rule.properties.get("After")) is not None:
        found = view.target(after) or next(
            (one for one in view.of(RECEIPT_RULE) if _name(one) == after), None
        )
        if found is None or found.logical_id in seen:
            return
        seen.add(found.logical_id)
        receipt_rule = found
        yield found


def _covers(earlier: Resource, later: Resource) -> bool:
    """Whether each mail that the later rule is for is one that the earlier is for."""
    body: Any = earlier.properties.get("Rule")
    if within(body, "Enabled") is not True:
        return False
    wanted = texts(within(body, "Recipients"))
    given = within(later.properties, "Rule", "Recipients")
    if not within(body, "Recipients"):
        return True
    known = texts(given)
    return bool(given) and len(known) == len(given) and set(known) <= set(wanted)


@rule(
    "TS957",
    Severity.WARNING,
    mend="Give the function 30 seconds at most, or invoke it as an Event.",
)
def answers_too_late(view: View) -> Iterator[Hit]:
    """SES waits 30 seconds for an answer: then the action has failed, and is tried again."""
    for action in view.mail_actions:
        function = view.function(action.body.get("FunctionArn"))
        if function is None or not action.waits:
            continue
        timeout = whole(function.properties.get("Timeout"), 3)
        if timeout is not None and timeout > _WAITS_S:
            yield Hit(f"{own_name(function)} may take {timeout} seconds.", action.at)

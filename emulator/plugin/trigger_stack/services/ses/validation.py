"""Receipt rules as SES takes them.

AWS topics: the SES API's ``ReceiptRule``, ``ReceiptAction`` and their parts; Amazon SES Developer
Guide, "Quotas related to email receiving".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from trigger_stack.delivery.mail.rules import ACTIONS
from trigger_stack.services.errors import ServiceError

MAX_RULE_SETS = 40
MAX_RULES = 200
_MAX_ACTIONS = 10
_MAX_RECIPIENTS = 100

type Rule = dict[str, Any]


def check_name(name: object, what: str) -> None:
    """The name of a rule or rule set.

    Raises:
        ServiceError: It is none.
    """
    text = str(name or "")
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?", text):
        raise ServiceError(
            "InvalidParameterValue",
            f"Not a valid {what} name: {text[:100]}. Use up to 64 letters, digits, _, - and"
            " full stops, beginning and ending with a letter or digit.",
        )


def check_rule(rule: Rule) -> None:
    """A receipt rule; whether what it uses is there is another question.

    Raises:
        ServiceError: It is none that SES takes, or has an action that this stack does not have.
    """
    check_name(rule.get("Name"), "receipt rule")
    if (policy := rule.get("TlsPolicy")) not in (None, "Optional", "Require"):
        _refuse(f"TlsPolicy must be Optional or Require, not {policy}.")
    recipients, actions = rule.get("Recipients") or [], rule.get("Actions") or []
    if len(recipients) > _MAX_RECIPIENTS:
        _limit(f"A receipt rule has {_MAX_RECIPIENTS} recipients at most.")
    for recipient in recipients:
        if not re.fullmatch(r"([^@\s,]+@)?\.?[A-Za-z0-9][A-Za-z0-9.-]*", recipient):
            _refuse(f"Invalid recipient: {recipient}.")
    if len(actions) > _MAX_ACTIONS:
        _limit(f"A receipt rule has {_MAX_ACTIONS} actions at most.")
    for action in actions:
        _check_action(action)


def _check_action(action: dict[str, Any]) -> None:
    given = [name for name, body in action.items() if body is not None]
    if len(given) != 1:
        _refuse("Each entry of Actions must have exactly one action.")
    (name,) = given
    if name not in ACTIONS:
        known = ", ".join(sorted(ACTIONS))
        _refuse(f"{name} is not part of this stack; the actions here are {known}.")
    body = action[name]
    if missing := sorted(_REQUIRED.get(name, frozenset()) - {k for k, v in body.items() if v}):
        _refuse(f"{name} needs {missing[0]}.")
    if check := _CHECKS.get(name):
        check(body)


_REQUIRED = {
    "AddHeaderAction": frozenset({"HeaderName", "HeaderValue"}),
    "BounceAction": frozenset({"SmtpReplyCode", "Message", "Sender"}),
    "LambdaAction": frozenset({"FunctionArn"}),
    "S3Action": frozenset({"BucketName"}),
    "SNSAction": frozenset({"TopicArn"}),
    "StopAction": frozenset({"Scope"}),
}


def _check_header(body: dict[str, Any]) -> None:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,50}", body["HeaderName"]):
        _refuse("HeaderName must have 1 to 50 letters, digits and dashes.")
    value = body["HeaderValue"]
    if len(value) > 2048 or "\r" in value or "\n" in value:
        _refuse("HeaderValue must have 2048 characters at most, and no line break.")


def _check_bounce(body: dict[str, Any]) -> None:
    if not re.fullmatch(r"[45]\d\d", body["SmtpReplyCode"], re.ASCII):
        _refuse("SmtpReplyCode must be a reply code such as 550.")
    status = body.get("StatusCode")
    if status and not re.fullmatch(r"[45]\.\d{1,3}\.\d{1,3}", status, re.ASCII):
        _refuse("StatusCode must be an enhanced status code such as 5.1.1.")


def _check_function(body: dict[str, Any]) -> None:
    if body.get("InvocationType") not in (None, "Event", "RequestResponse"):
        _refuse("InvocationType must be Event or RequestResponse.")
    if not re.fullmatch(r"arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:\S+", body["FunctionArn"]):
        raise ServiceError(
            "InvalidLambdaFunction", f"Invalid Lambda function: {body['FunctionArn']}"
        )


def _check_bucket(body: dict[str, Any]) -> None:
    if body.get("KmsKeyArn"):
        _refuse(
            "KmsKeyArn is not part of this stack: SES would encrypt mails before it stores them."
        )


def _check_topic(body: dict[str, Any]) -> None:
    if body.get("Encoding") not in (None, "UTF-8", "Base64"):
        _refuse("Encoding must be UTF-8 or Base64.")


def _check_stop(body: dict[str, Any]) -> None:
    if body["Scope"] != "RuleSet":
        _refuse("Scope must be RuleSet.")


_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "AddHeaderAction": _check_header,
    "BounceAction": _check_bounce,
    "LambdaAction": _check_function,
    "S3Action": _check_bucket,
    "SNSAction": _check_topic,
    "StopAction": _check_stop,
}


def insert(rules: list[Rule], rule: Rule, after: str | None) -> None:
    """Put a rule behind another one, or before all.

    Raises:
        ServiceError: There is no such rule.
    """
    rules.insert(position(rules, after) + 1 if after else 0, rule)


def position(rules: Sequence[Rule], name: str) -> int:
    """Where the rule of a name is.

    Raises:
        ServiceError: There is none.
    """
    for index, rule in enumerate(rules):
        if rule["Name"] == name:
            return index
    raise ServiceError("RuleDoesNotExist", f"Rule does not exist: {name}")


def reorder(rules: Sequence[Rule], names: Sequence[str]) -> list[Rule]:
    """The rules in another order.

    Raises:
        ServiceError: ``names`` has a name that no rule has, or has not every rule once.
    """
    ordered = [rules[position(rules, name)] for name in names]
    if len(set(names)) != len(names) or len(names) != len(rules):
        _refuse("Every rule of the rule set must be named, each once.")
    return ordered


def _refuse(message: str) -> None:
    raise ServiceError("InvalidParameterValue", message)


def _limit(message: str) -> None:
    raise ServiceError("LimitExceeded", message)

"""Amazon SES: sender identities, and the rules for mail that is received."""

from __future__ import annotations

from typing import Any

from bootstrap.definition import naming
from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    gone,
    outcome_of,
    subset,
)
from bootstrap.template import Physical

RULE_SET = "AWS::SES::ReceiptRuleSet"
_NO_RULE_SET = "RuleSetDoesNotExist"
_NO_RULE = "RuleDoesNotExist"


def _identity(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    ses = context.client("ses")
    identity = properties["EmailIdentity"]
    if identity in ses.list_identities()["Identities"]:
        return Outcome.UNCHANGED, Physical(identity)
    if "@" in identity:
        ses.verify_email_identity(EmailAddress=identity)
    else:
        ses.verify_domain_identity(Domain=identity)
    return Outcome.CREATED, Physical(identity)


def _exists(context: Context, key: Key) -> bool:
    return key["Ref"] in context.client("ses").list_identities()["Identities"]


def _rule_set(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    ses = context.client("ses")
    name = properties.get("RuleSetName") or naming.generated(context.service, logical_id)
    if found(lambda: ses.describe_receipt_rule_set(RuleSetName=name), _NO_RULE_SET) is not None:
        return Outcome.UNCHANGED, Physical(name)
    ses.create_receipt_rule_set(RuleSetName=name)
    return Outcome.CREATED, Physical(name)


def _rule_set_exists(context: Context, key: Key) -> bool:
    ses = context.client("ses")
    return (
        found(lambda: ses.describe_receipt_rule_set(RuleSetName=key["Ref"]), _NO_RULE_SET)
        is not None
    )


def _deactivate(context: Context, key: Key) -> bool:
    """No longer take mails by a rule set; whether it was the active one."""
    ses = context.client("ses")
    if active_rule_set(context) != key["Ref"]:
        return False
    ses.set_active_receipt_rule_set()
    return True


def _rule(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    ses = context.client("ses")
    rule_set, after = properties["RuleSetName"], properties.get("After")
    wanted = {"Name": naming.generated(context.service, logical_id), **_numbers(properties["Rule"])}
    name = wanted["Name"]
    existing = found(
        lambda: ses.describe_receipt_rule(RuleSetName=rule_set, RuleName=name)["Rule"], _NO_RULE
    )
    placed = {"After": after} if after else {}
    if existing is None:
        ses.create_receipt_rule(RuleSetName=rule_set, Rule=wanted, **placed)
        return Outcome.CREATED, Physical(name)
    different = not _same(wanted, existing)
    if different:
        ses.update_receipt_rule(RuleSetName=rule_set, Rule=wanted)
    misplaced = bool(after) and not _is_after(ses, rule_set, name, after)
    if misplaced:
        ses.set_receipt_rule_position(RuleSetName=rule_set, RuleName=name, After=after)
    return outcome_of(False, different, misplaced), Physical(name)


def _numbers(rule: Properties) -> Properties:
    """A rule as the API takes it: reply codes are text there."""
    actions = [
        {
            kind: {
                key: str(value) if isinstance(value, int) else value for key, value in body.items()
            }
            for kind, body in action.items()
        }
        for action in rule.get("Actions", [])
    ]
    return {**rule, "Actions": actions} if "Actions" in rule else rule


def _same(wanted: Properties, actual: Properties) -> bool:
    """Whether a rule is as described; what is not given has SES's default."""
    full = {
        "Enabled": False,
        "TlsPolicy": "Optional",
        "Recipients": [],
        "Actions": [],
        "ScanEnabled": False,
    }
    left, right = {**full, **wanted}, {**full, **actual}
    return subset(left, right) and subset(right, left)


def _is_after(ses: Any, rule_set: str, name: str, after: Any) -> bool:
    rules = ses.describe_receipt_rule_set(RuleSetName=rule_set)["Rules"]
    names = [rule["Name"] for rule in rules]
    return after in names and names.index(after) < names.index(name)


def _rule_keys(logical_id: str, properties: Properties, physical: Physical) -> list[Key]:
    return [{"RuleSetName": properties["RuleSetName"], "RuleName": physical.ref}]


def _remove_rule(context: Context, key: Key) -> bool:
    ses = context.client("ses")
    if found(lambda: ses.describe_receipt_rule(**key), _NO_RULE, _NO_RULE_SET) is None:
        return False
    return gone(lambda: ses.delete_receipt_rule(**key), _NO_RULE_SET)


def active_rule_set(context: Context) -> str | None:
    """Name of the active receipt rule set."""
    answer = context.client("ses").describe_active_receipt_rule_set()
    name = (answer.get("Metadata") or {}).get("Name")
    return str(name) if name else None


def activate(context: Context, names: list[str]) -> str | None:
    """Make the service's only receipt rule set the active one, unless there is one already.

    CloudFormation cannot do this: on AWS it is one command.

    Args:
        names: Of the rule sets that the definition has.

    Returns:
        What was done or is left to do, or None when there is nothing to say.
    """
    if not names:
        return None
    active = active_rule_set(context)
    if active in names:
        return None
    command = "ses set-active-receipt-rule-set --rule-set-name"
    if active is None and len(names) == 1:
        context.client("ses").set_active_receipt_rule_set(RuleSetName=names[0])
        return (
            f"made the receipt rule set {names[0]} the active one; on AWS that is a command after"
            f" each first deploy: aws {command} {names[0]}"
        )
    which = (
        f"the active receipt rule set is {active}" if active else "no receipt rule set is active"
    )
    return f"{which}: choose one with awslocal {command} {' or '.join(names)}"


_TOPIC = {"TopicArn": shapes.text}
_ACTION = shapes.mapping(
    {},
    {
        "AddHeaderAction": shapes.mapping({"HeaderName": shapes.text, "HeaderValue": shapes.text}),
        "BounceAction": shapes.mapping(
            {
                "Message": shapes.text,
                "Sender": shapes.text,
                "SmtpReplyCode": shapes.number(400, 599),
            },
            {"StatusCode": shapes.text, **_TOPIC},
        ),
        "LambdaAction": shapes.mapping(
            {"FunctionArn": shapes.text},
            {"InvocationType": shapes.one_of("Event", "RequestResponse"), **_TOPIC},
        ),
        "S3Action": shapes.mapping(
            {"BucketName": shapes.text},
            {"IamRoleArn": shapes.text, "ObjectKeyPrefix": shapes.text, **_TOPIC},
        ),
        "SNSAction": shapes.mapping(_TOPIC, {"Encoding": shapes.one_of("UTF-8", "Base64")}),
        "StopAction": shapes.mapping({"Scope": shapes.one_of("RuleSet")}, _TOPIC),
    },
)

RESOURCE_TYPES = {
    "AWS::SES::EmailIdentity": ResourceType(
        _identity,
        shapes.all_as_aws("EmailIdentity"),
        exists=_exists,
        delete_with="ses delete-identity --identity {Ref}",
        holds_data=False,
    ),
    RULE_SET: ResourceType(
        _rule_set,
        {},
        {"RuleSetName": shapes.text},
        remove=_deactivate,
        exists=_rule_set_exists,
        delete_with="ses delete-receipt-rule-set --rule-set-name {Ref}",
    ),
    "AWS::SES::ReceiptRule": ResourceType(
        _rule,
        {
            "Rule": shapes.mapping(
                {},
                {
                    "Actions": shapes.list_of(_ACTION),
                    "Enabled": shapes.flag,
                    "Name": shapes.text,
                    "Recipients": shapes.list_of(shapes.text),
                    "ScanEnabled": shapes.flag,
                    "TlsPolicy": shapes.one_of("Optional", "Require"),
                },
            ),
            "RuleSetName": shapes.text,
        },
        {"After": shapes.text},
        keys=_rule_keys,
        remove=_remove_rule,
    ),
}

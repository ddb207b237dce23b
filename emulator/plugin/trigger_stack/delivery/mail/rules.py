"""Which receipt rules a recipient matches, and what they do with a mail.

AWS topics: Amazon SES Developer Guide, "Creating receipt rules" (recipient conditions) and "Email
receiving concepts".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

#: A rule as ``ReceiptRule`` of the API has it.
type Rule = dict[str, Any]

#: The actions of the API that can be carried out, by the key in ``ReceiptAction``.
ACTIONS = {
    "AddHeaderAction": "AddHeader",
    "BounceAction": "Bounce",
    "LambdaAction": "Lambda",
    "S3Action": "S3",
    "SNSAction": "SNS",
    "StopAction": "Stop",
}


@dataclass(frozen=True)
class RuleSet:
    """The active rule set of an account in a region, as it was at one moment.

    Attributes:
        rules: In their order.
        domains: The verified domain identities, in lower case.
    """

    account: str
    region: str
    name: str
    rules: tuple[Rule, ...]
    domains: frozenset[str]

    @property
    def arn(self) -> str:
        """ARN of the rule set."""
        return f"arn:aws:ses:{self.region}:{self.account}:receipt-rule-set/{self.name}"

    def rule_arn(self, rule: str) -> str:
        """ARN with which SES introduces itself to what an action of a rule uses."""
        return f"{self.arn}:receipt-rule/{rule}"

    def is_verified(self, recipient: str) -> bool:
        """Whether a recipient's domain, or a domain above it, is a verified identity."""
        domain = recipient.rpartition("@")[2].lower()
        return any(domain == one or domain.endswith(f".{one}") for one in self.domains)

    def rules_for(self, recipient: str) -> Iterator[Rule]:
        """The enabled rules that a recipient matches; none when its domain is not verified."""
        if self.is_verified(recipient):
            for rule in self.rules:
                if rule.get("Enabled") and matches(rule.get("Recipients") or [], recipient):
                    yield rule

    def matched(self, rule: Rule, recipients: Sequence[str]) -> list[str]:
        """The recipients of a mail that match an enabled rule."""
        return [
            recipient
            for recipient in recipients
            if any(one["Name"] == rule["Name"] for one in self.rules_for(recipient))
        ]


def matches(conditions: Sequence[str], recipient: str) -> bool:
    """Whether a recipient fulfils one of a rule's conditions; every one does when there are none.

    Args:
        conditions: ``user@example.com`` is that address, also with any label (``user+label@…``);
            ``user+label@example.com`` that label only; ``example.com`` every address of the
            domain; ``.example.com`` every address of every subdomain.
        recipient: An address.
    """
    return not conditions or any(_fulfils(one.lower(), recipient.lower()) for one in conditions)


def _fulfils(condition: str, recipient: str) -> bool:
    local, _, domain = recipient.rpartition("@")
    if condition.startswith("."):
        return domain.endswith(condition) and domain != condition
    wanted, at, wanted_domain = condition.rpartition("@")
    if not at:
        return domain == condition
    return domain == wanted_domain and wanted in (local, local.partition("+")[0])


@dataclass(frozen=True)
class Step:
    """One thing to do with a mail.

    Attributes:
        rule: Name of the rule.
        kind: ``S3``, ``SNS``, ``Lambda`` and so on; see :data:`ACTIONS`.
        body: The action as the API has it.
        recipients: Those of the mail that match the rule.
        notifies: It only tells the action's topic that the action was taken.
    """

    rule: str
    kind: str
    body: dict[str, Any]
    recipients: tuple[str, ...]
    notifies: bool = False

    def __str__(self) -> str:
        return f"rule {self.rule}: {self.kind}{' notification' if self.notifies else ''}"


def plan(rule_set: RuleSet, recipients: Sequence[str]) -> list[Step]:
    """Everything that the rules do with a mail, in order, if nothing stops them."""
    steps: list[Step] = []
    for rule in rule_set.rules:
        matched = tuple(rule_set.matched(rule, recipients))
        for action in (rule.get("Actions") or []) if matched else []:
            for key, body in action.items():
                step = Step(rule["Name"], ACTIONS.get(key, key), body, matched)
                steps.append(step)
                if body.get("TopicArn") and step.kind != "SNS":
                    steps.append(Step(step.rule, step.kind, body, matched, notifies=True))
    return steps

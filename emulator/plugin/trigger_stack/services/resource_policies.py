"""Whether the policy of a function, queue, topic or log group lets a service use it.

AWS topics: IAM User Guide, "Policy evaluation logic" and "AWS service principals"; Amazon SNS
Developer Guide, "Fanout to Amazon SQS queues"; Amazon SQS Developer Guide, "Key management"
("Configure KMS permissions for AWS services"); EventBridge User Guide, "Using resource-based
policies for Amazon EventBridge", "CloudWatch Logs permissions"; CloudWatch Logs API Reference,
"PutResourcePolicy"; Amazon S3 User Guide, "Granting permissions to publish event notification
messages to a destination".
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack_engine.front_doors.core.policy import allows, covers, names

SETTING: Final = "CHECK_RESOURCE_POLICIES"

type Statement = Mapping[str, Any]

#: What the services ask for, by the service that they ask; each is needed.
ACTIONS: Final = {
    "lambda": ("lambda:InvokeFunction",),
    "logs": ("logs:CreateLogStream", "logs:PutLogEvents"),
    "sns": ("sns:Publish",),
    "sqs": ("sqs:SendMessage",),
}
#: Who writes log events for services. EventBridge's guide names it beside EventBridge, and does
#: not say which of the two calls: a policy that lets one of them in is enough here.
_OF_LOG_DELIVERY: Final = "delivery.logs.amazonaws.com"
#: What they need of the key of an encrypted queue or topic.
_KEY_ACTIONS: Final = ("kms:GenerateDataKey", "kms:Decrypt")


@dataclass(frozen=True)
class Asker:
    """A service that hands an event over.

    Attributes:
        principal: For example ``sns.amazonaws.com``.
        source_arn: ARN of what the event comes from.
        account: Whose that is; "" when the ARN says it.
        others: Principals that may call in its place.
    """

    principal: str
    source_arn: str
    account: str = ""
    others: tuple[str, ...] = ()

    @property
    def principals(self) -> list[str]:
        """The names by which a policy may mean it."""
        region = self.source_arn.split(":")[3]
        service = self.principal.partition(".")[0]
        regional = [f"{service}.{region}.amazonaws.com"] if region else []
        return [self.principal, *regional, *self.others]

    @property
    def keys(self) -> dict[str, str | None]:
        """The condition keys of its call; None when the value is not known here."""
        return {
            "aws:sourcearn": self.source_arn,
            "aws:sourceaccount": self.account or self.source_arn.split(":")[4] or None,
            "aws:principalisawsservice": "true",
            "aws:principalservicename": self.principal,
            "aws:securetransport": "true",
            "aws:viaawsservice": "false",
            "aws:sourceorgid": None,
            "aws:sourceorgpaths": None,
            "aws:currenttime": None,
            "aws:epochtime": None,
            "aws:requestedregion": None,
            "kms:calleraccount": None,
            "kms:viaservice": None,
        }


@dataclass(frozen=True)
class Key:
    """The key that encrypts a queue or topic.

    Attributes:
        arn: Of the key, or of the alias of a key of AWS's own.
        policy: The statements of its policy. A service can use no key of AWS's own.
    """

    arn: str
    policy: tuple[Statement, ...] = ()


class ResourcePolicies:
    """The policies of this stack's functions, queues, topics and log groups.

    Args:
        find: The statements of the policy of an ARN's resource.
        key_of: The key that encrypts an ARN's resource; None when none does, or it is not known.
        checked: False takes every policy for one that lets everybody in.
    """

    def __init__(
        self,
        find: Callable[[str], Iterable[Statement]],
        key_of: Callable[[str], Key | None] = lambda _: None,
        *,
        checked: bool = True,
    ) -> None:
        self._find = find
        self._key_of = key_of
        self._checked = checked

    def why_not(
        self, principal: str, resource_arn: str, source_arn: str, account: str = ""
    ) -> str | None:
        """Why a service may not hand an event to a resource; None when it may.

        Args:
            principal: For example ``sns.amazonaws.com``.
            resource_arn: Of a function, version or alias, a queue, a topic or a log group. Nothing
                else has a policy that is looked at.
            source_arn: Of what the event comes from: ``aws:SourceArn`` of the conditions.
            account: Whose that is, when the ARN does not say it: that of a bucket.
        """
        service = resource_arn.split(":", 3)[2]
        if service not in ACTIONS or not self._checked:
            return None
        resource_arn = resource_arn.removesuffix(":$LATEST")  # policies name the function
        is_group = service == "logs"
        asker = Asker(principal, source_arn, account, (_OF_LOG_DELIVERY,) if is_group else ())
        resource = _streams_of(resource_arn) if is_group else resource_arn
        statements = list(self._find(resource_arn))
        for action in ACTIONS[service]:
            if not is_allowed(statements, asker, action, resource):
                return _refusal(principal, action, resource)
        if key := self._key_of(resource_arn):
            for action in _KEY_ACTIONS:
                if not is_allowed(key.policy, asker, action, key.arn):
                    return _refusal(principal, action, key.arn)
        return None


def _streams_of(group_arn: str) -> str:
    """The log streams of a log group: what both actions are on (IAM, "Actions, resources").

    So a policy that names the group has ``:*`` behind its name.
    """
    return f"{group_arn.removesuffix(':*')}:log-stream:*"


def _refusal(principal: str, action: str, resource: str) -> str:
    return (
        f"User: {principal} is not authorized to perform: {action} on resource: {resource}"
        f" because no resource-based policy allows the {action} action"
    )


def is_allowed(statements: Iterable[Statement], asker: Asker, action: str, resource: str) -> bool:
    """Whether a policy lets a service do something for one of its resources."""
    wanted = action.lower()
    about = [{**one, "Action": wanted} for one in statements if _is_about(one, wanted, resource)]
    return bool(about) and allows(
        about, action=wanted, principals=asker.principals, keys=asker.keys
    )


@functools.lru_cache(1024)
def statements_of(policy: str) -> tuple[Statement, ...]:
    """The statements of a policy, given as JSON; none when it is no policy."""
    try:
        parsed = json.loads(policy or "{}")
    except ValueError:
        return ()
    found = parsed.get("Statement") if isinstance(parsed, dict) else None
    given = found if isinstance(found, list) else [found]
    return tuple(one for one in given if isinstance(one, dict))


def _is_about(statement: Statement, action: str, resource: str) -> bool:
    if "NotAction" in statement:
        is_named = not names({"Action": statement["NotAction"]}, action)
    else:
        is_named = names(statement, action)
    if not is_named:
        return False
    if "NotResource" in statement:
        return not covers({"Resource": statement["NotResource"]}, resource)
    return covers(statement, resource)

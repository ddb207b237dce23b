"""What every resource type has in common."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from bootstrap.settings import Settings
from bootstrap.template import Physical

type Properties = dict[str, Any]


class Outcome(StrEnum):
    """What :meth:`ResourceType.ensure` had to do."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class ReplacementError(Exception):
    """A property differs that AWS cannot change on an existing resource."""


@dataclass
class Context:
    """What a resource needs from its surroundings."""

    settings: Settings
    service: str
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, name: str) -> Any:
        """A boto3 client, made once."""
        with self._lock:  # boto3's clients may be shared by threads, its making of them may not
            if name not in self._clients:
                self._clients[name] = self.settings.client(name)
            return self._clients[name]

    def warm_up(self) -> None:
        """Make the clients that most definitions need; each takes a tenth of a second."""
        for name in ("sts", "lambda", "dynamodb", "s3", "sqs", "events", "logs", "iam"):
            self.client(name)

    @cached_property
    def account(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    @cached_property
    def pseudo(self) -> dict[str, str]:
        """CloudFormation's pseudo parameters."""
        return {
            "AWS::AccountId": self.account,
            "AWS::Region": self.settings.region,
            "AWS::Partition": "aws",
            "AWS::StackName": self.service,
        }


@dataclass(frozen=True)
class ResourceType:
    """How to create one CloudFormation resource type.

    Attributes:
        ensure: called with the context, the logical id and the resolved properties; makes the
            resource be as described and says what that took. Safe to call again at any time.
        required: properties that must be there.
        optional: the other properties that are understood; any other is refused.
    """

    ensure: Callable[[Context, str, Properties], tuple[Outcome, Physical]]
    required: frozenset[str]
    optional: frozenset[str] = frozenset()

    def problem(self, properties: Properties) -> str | None:
        """What is wrong with the names of ``properties``, or None."""
        supported = self.required | self.optional
        if unknown := sorted(properties.keys() - supported):
            return (
                f"the property {unknown[0]} is not supported here. Supported: "
                f"{', '.join(sorted(supported))}."
            )
        if missing := sorted(self.required - properties.keys()):
            return f"the property {missing[0]} is required."
        return None


def error_code(error: ClientError) -> str:
    """AWS's error code: ``ResourceNotFoundException``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def found(call: Callable[[], Any], *missing: str) -> Any | None:
    """The result of ``call``, or None when AWS answers with one of the codes ``missing``."""
    try:
        return call()
    except ClientError as error:
        if error_code(error) in missing:
            return None
        raise


def same_json(left: str | None, right: Any) -> bool:
    """Whether a JSON text that AWS returned says the same as ``right``."""
    return left is not None and bool(json.loads(left) == right)


def _empty(value: Any) -> bool:
    return all(map(_empty, value.values())) if isinstance(value, dict) else value in (None, "", [])


def subset(wanted: Any, actual: Any) -> bool:
    """Whether ``actual`` has everything in ``wanted``; AWS adds defaults that were not given.

    What is empty in ``wanted`` may be missing in ``actual``.
    """
    if actual is None:
        return _empty(wanted)
    if isinstance(wanted, dict):
        return isinstance(actual, dict) and all(
            subset(value, actual.get(key)) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(actual, list)
            and len(wanted) == len(actual)
            and all(subset(w, a) for w, a in zip(wanted, actual, strict=True))
        )
    return bool(wanted == actual)

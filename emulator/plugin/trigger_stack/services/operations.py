"""How a service marks its operations, and the caller that they get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

type Request = dict[str, Any]
type Answer = dict[str, Any] | None
type Operation = Callable[[Caller, Request], Answer]

_NAME = "aws_operation"


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request was sent.

    Attributes:
        account_id: Account of the credentials that signed it.
        region: Region that it names.
    """

    account_id: str
    region: str


def operation[Method: Callable[..., Answer]](name: str) -> Callable[[Method], Method]:
    """Mark a method ``(self, caller, request)`` as an operation of the API, by its AWS name."""

    def mark(method: Method) -> Method:
        setattr(method, _NAME, name)
        return method

    return mark


def operations(service: object) -> Mapping[str, Operation]:
    """The marked methods of a service by the names of their operations."""
    methods = (getattr(service, name) for name in dir(service) if not name.startswith("_"))
    return {getattr(method, _NAME): method for method in methods if hasattr(method, _NAME)}

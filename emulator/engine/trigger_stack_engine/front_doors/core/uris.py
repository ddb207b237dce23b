"""Reads the function that an integration's URI names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

MAX_TIMEOUT_MILLIS: Final = 30_000
STAGE_VARIABLE: Final = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")

_LAMBDA_ARN = re.compile(
    r"arn:[a-z-]+:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:"
    r"(?P<name>[A-Za-z0-9-_]+)(:(?P<qualifier>\$LATEST|[A-Za-z0-9-_]+))?"
)
_INVOCATION_ARN = re.compile(
    r"arn:[a-z-]+:apigateway:[a-z0-9-]+:lambda:path/2015-03-31/functions/(?P<arn>.+)/invocations"
)


def substitute_stage_variables(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``${stageVariables.name}``; an unset variable becomes empty."""
    if "$" not in text:
        return text
    return STAGE_VARIABLE.sub(lambda match: variables.get(match[1], ""), text)


@dataclass(frozen=True)
class FunctionArn:
    """The parts of a Lambda function's ARN. ``qualifier``: version or alias, if any."""

    region: str
    account: str
    name: str
    qualifier: str | None

    @cached_property
    def unqualified(self) -> str:
        """The ARN without the qualifier."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"


def parse_lambda_uri(uri: str) -> FunctionArn | None:
    """The function that a Lambda integration's URI names, ``None`` when it names none.

    Takes a function ARN and API Gateway's ``…:lambda:path/2015-03-31/functions/<ARN>/invocations``.
    """
    if match := _INVOCATION_ARN.fullmatch(uri):
        uri = match["arn"]
    match = _LAMBDA_ARN.fullmatch(uri)
    return FunctionArn(**match.groupdict()) if match else None

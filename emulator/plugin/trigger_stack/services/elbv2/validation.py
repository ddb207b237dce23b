"""What a listener and a rule may ask for here: refused when it is made, not when it is used.

AWS topic: Elastic Load Balancing API Reference, "CreateListener" and "CreateRule".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from trigger_stack.services.errors import ServiceError
from trigger_stack_engine.front_doors.load_balancer.rules import (
    FIXED_RESPONSE,
    FORWARD,
    REDIRECT,
    Action,
    condition_match,
)

_LAST = (FORWARD, REDIRECT, FIXED_RESPONSE)
_REFUSED = ("authenticate-cognito", "authenticate-oidc", "jwt-validation")


def check_actions(actions: list[dict[str, Any]]) -> None:
    """Check the actions of a listener or a rule.

    Raises:
        ServiceError: They end in none that answers, or authenticate, which is not done here: the
            function would be open by accident. Or one is not complete.
    """
    kinds = [action.get("Type") for action in actions]
    for kind in kinds:
        if kind in _REFUSED:
            raise ServiceError(
                "UnsupportedFeature", f"Actions of type '{kind}' are not part of this stack."
            )
    if sum(kind in _LAST for kind in kinds) != 1:
        raise ServiceError(
            "ValidationError",
            "Each rule must include exactly one of the following types of actions: "
            f"{', '.join(_LAST)}",
        )
    try:
        action = Action.from_document(actions)
        complete = action.forward_to if action.kind == FORWARD else action.configuration
    except (KeyError, ValueError):
        complete = None
    if not complete:
        raise ServiceError("ValidationError", "An action lacks its configuration.")


def check_conditions(conditions: Iterable[dict[str, Any]]) -> None:
    """Check the conditions of a rule.

    Raises:
        ServiceError: One cannot be read.
    """
    for condition in conditions:
        try:
            condition_match(condition)
        except (KeyError, TypeError, ValueError, re.error) as error:
            raise ServiceError(
                "ValidationError",
                f"The condition '{condition.get('Field')}' is not valid: {error}",
            ) from None


def check_priorities(priorities: Mapping[str, int]) -> None:
    """Check the priorities that the rules of a listener would have, by ARN.

    Raises:
        ServiceError: Two would have the same.
    """
    if len(set(priorities.values())) < len(priorities):
        raise ServiceError("PriorityInUse", "The specified priority is in use.")

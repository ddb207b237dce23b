"""What a pre token generation trigger asks for.

AWS topic: Amazon Cognito Developer Guide, "Pre token generation Lambda trigger". Values of claims
are text in an event of version 1, and any JSON in versions 2 and 3.
"""

from __future__ import annotations

from typing import Any

from trigger_stack.services.cognito.errors import invalid_lambda_response
from trigger_stack.services.cognito.tokens import Overrides
from trigger_stack.services.cognito.triggers import Values, names, part, text, texts


def overrides_of(response: Values, version: str) -> Overrides:
    """The changes in a response.

    Args:
        version: Of the event: ``1``, ``2`` or ``3``.

    Raises:
        ServiceError: A member is not what it must be.
    """
    if version == "1":
        details = part(response, "claimsOverrideDetails")
        return Overrides(
            id_claims=texts(details, "claimsToAddOrOverride"),
            id_suppressed=frozenset(names(details, "claimsToSuppress")),
            groups=_groups(details),
        )
    details = part(response, "claimsAndScopeOverrideDetails")
    identity, access = part(details, "idTokenGeneration"), part(details, "accessTokenGeneration")
    scopes = tuple(names(access, "scopesToAdd"))
    if any(not scope or " " in scope for scope in scopes):
        raise invalid_lambda_response("a scope must not be empty or contain a space")
    return Overrides(
        id_claims=part(identity, "claimsToAddOrOverride"),
        id_suppressed=frozenset(names(identity, "claimsToSuppress")),
        access_claims=part(access, "claimsToAddOrOverride"),
        access_suppressed=frozenset(names(access, "claimsToSuppress")),
        scopes_added=scopes,
        scopes_suppressed=frozenset(names(access, "scopesToSuppress")),
        groups=_groups(details),
    )


def _groups(details: Values) -> dict[str, Any] | None:
    """The groups in place of the user's; one that is there and empty takes them away."""
    if "groupOverrideDetails" not in details:
        return None
    given = part(details, "groupOverrideDetails")
    return {
        "groupsToOverride": names(given, "groupsToOverride"),
        "iamRolesToOverride": names(given, "iamRolesToOverride"),
        "preferredRole": text(given, "preferredRole"),
    }

"""What a pool and a client may ask for: refused when they are made, not when a user needs it.

AWS topics: Amazon Cognito user pools API Reference, "CreateUserPool", "LambdaConfigType" and
"CreateUserPoolClient".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from trigger_stack.services.cognito.errors import invalid_parameter, unsupported
from trigger_stack.services.cognito.triggers import NAMES, VERSIONS

_FUNCTION: Final = re.compile(
    r"arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:[\w-]{1,64}(:(\$LATEST|[\w-]{1,128}))?"
)
_SENDERS: Final = ("CustomSMSSender", "CustomEmailSender", "KMSKeyID", "InboundFederation")
_FLOWS: Final = frozenset(
    (
        *("ADMIN_NO_SRP_AUTH", "CUSTOM_AUTH_FLOW_ONLY", "USER_PASSWORD_AUTH"),
        *("ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_USER_PASSWORD_AUTH"),
        *("ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_AUTH"),
    )
)


def check_pool(request: Mapping[str, Any]) -> None:
    """Check ``CreateUserPool`` or ``UpdateUserPool``.

    Raises:
        ServiceError: AWS would refuse it, or it is not part of this stack.
    """
    check_lambda_config(request.get("LambdaConfig") or {})
    if request.get("MfaConfiguration") == "ON":
        raise unsupported("A pool that asks everybody for multi-factor authentication is")
    template = request.get("VerificationMessageTemplate") or {}
    if template.get("DefaultEmailOption") == "CONFIRM_WITH_LINK":
        raise unsupported("Confirmation by a link (CONFIRM_WITH_LINK) is")
    names, aliases = request.get("UsernameAttributes"), request.get("AliasAttributes")
    if names and aliases:
        raise invalid_parameter(
            "Only one of the aliasAttributes or usernameAttributes can be set in a user pool."
        )


def check_lambda_config(config: Mapping[str, Any]) -> None:
    """Check ``LambdaConfig``.

    Raises:
        ServiceError: A trigger is not part of this stack, or is no function.
    """
    for name in _SENDERS:
        if config.get(name):
            raise unsupported(f"The trigger {name} is")
    own = config.get("PreTokenGenerationConfig") or {}
    plain = config.get("PreTokenGeneration")
    if own and plain and own.get("LambdaArn") != plain:
        raise invalid_parameter(
            "PreTokenGeneration and PreTokenGenerationConfig must have the same LambdaArn."
        )
    if own and own.get("LambdaVersion") not in VERSIONS:
        versions = ", ".join(VERSIONS)
        raise invalid_parameter(f"LambdaVersion of PreTokenGenerationConfig: one of {versions}.")
    arns = {**{name: config.get(name) for name in NAMES}}
    if own:
        arns["PreTokenGenerationConfig"] = own.get("LambdaArn")
    for name, arn in arns.items():
        if arn and not _FUNCTION.fullmatch(str(arn)):
            raise invalid_parameter(f"{name}: {arn} is no ARN of a function.")


def check_client(request: Mapping[str, Any]) -> None:
    """Check ``CreateUserPoolClient`` or ``UpdateUserPoolClient``.

    Raises:
        ServiceError: AWS would refuse it, or it is not part of this stack.
    """
    flows = request.get("ExplicitAuthFlows") or []
    for flow in flows:
        if flow not in _FLOWS:
            raise invalid_parameter(f"{flow} is no flow of ExplicitAuthFlows.")
    new = [flow for flow in flows if flow.startswith("ALLOW_")]
    if new and len(new) != len(flows):
        raise invalid_parameter(
            "ExplicitAuthFlows must not mix values with and without the prefix ALLOW_."
        )
    if (request.get("RefreshTokenRotation") or {}).get("Feature") == "ENABLED":
        raise unsupported("Rotation of refresh tokens is")
    session = request.get("AuthSessionValidity")
    if session is not None and not 3 <= int(session) <= 15:
        raise invalid_parameter("AuthSessionValidity must be from 3 to 15 minutes.")

"""Whether a JSON Web Token is valid at a time; PyJWT knows the machine's time only.

RFC 7519, "exp", "nbf" and "iat".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: For PyJWT: what is checked here.
UNCHECKED: Final = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}


def check_times(claims: Mapping[str, Any], now: float) -> None:
    """Check that a token is valid.

    Args:
        claims: Of the token; ``exp`` is there.
        now: Seconds since 1970.

    Raises:
        jwt.PyJWTError: It is not, as PyJWT says it.
    """
    # Imported here: only an API with a JWT authorizer needs it.
    import jwt

    if _seconds(claims, "exp") <= now:
        raise jwt.ExpiredSignatureError("Signature has expired")
    for name in ("nbf", "iat"):
        if name in claims and _seconds(claims, name) > now:
            raise jwt.ImmatureSignatureError(f"The token is not yet valid ({name})")


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    import jwt

    try:
        return int(claims[name])
    except (TypeError, ValueError, OverflowError):
        raise jwt.DecodeError(f"The claim {name} must be a number of seconds.") from None

"""What a pool asks of passwords and attributes.

AWS topics: Amazon Cognito Developer Guide, "Adding user pool password requirements" and "Working
with user attributes".
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from trigger_stack.services.cognito.directory import Client, Pool
from trigger_stack.services.cognito.errors import invalid_parameter, not_authorized
from trigger_stack.services.errors import ServiceError

SYMBOLS: Final = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-"
_LONGEST_PASSWORD: Final = 256
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_PHONE: Final = re.compile(r"\+[1-9]\d{1,14}")
#: Nobody signs up with these: they are the service's to set.
_OWN: Final = frozenset({"sub", "email_verified", "phone_number_verified"})


def check_password(pool: Pool, password: str) -> None:
    """Check a new password against the pool's policy.

    Raises:
        ServiceError: It does not conform; the text says how.
    """
    problem = _password_problem(_policy(pool), password)
    if problem:
        message = f"Password did not conform with policy: {problem}"
        raise ServiceError("InvalidPasswordException", message)


def _policy(pool: Pool) -> dict[str, Any]:
    policies = pool.extended_config.get("Policies") or {}
    return policies.get("PasswordPolicy") or {}


def _password_problem(policy: Mapping[str, Any], password: str) -> str | None:
    if len(password) < int(policy.get("MinimumLength", 8)):
        return "Password not long enough"
    if len(password) > _LONGEST_PASSWORD:
        return "Password too long"
    if policy.get("RequireUppercase") and not re.search(r"[A-Z]", password):
        return "Password must have uppercase characters"
    if policy.get("RequireLowercase") and not re.search(r"[a-z]", password):
        return "Password must have lowercase characters"
    if policy.get("RequireNumbers") and not re.search(r"[0-9]", password):
        return "Password must have numeric characters"
    has_symbol = any(c in SYMBOLS for c in password) or " " in password.strip()
    if policy.get("RequireSymbols") and not has_symbol:
        return "Password must have symbol characters"
    return None


def temporary_password(pool: Pool) -> str:
    """A random password that conforms with every policy."""
    length = max(int(_policy(pool).get("MinimumLength", 8)), 12)
    parts = [string.ascii_uppercase, string.ascii_lowercase, string.digits, "!@#%&*"]
    drawn = [secrets.choice(parts[i % len(parts)]) for i in range(length)]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)


def temporary_password_days(pool: Pool) -> int:
    """Days for which an administrator's password can be used."""
    policy = _policy(pool).get("TemporaryPasswordValidityDays")
    return int(policy if policy is not None else 7)


def check_writable(client: Client, attributes: Mapping[str, str]) -> None:
    """Check that a client may write attributes.

    Raises:
        ServiceError: It may not.
    """
    may = client.extended_config.get("WriteAttributes")
    if _OWN & attributes.keys() or (may and set(attributes) - set(may)):
        raise not_authorized("A client attempted to write unauthorized attribute")


def check_attributes(pool: Pool, attributes: Mapping[str, str], *, complete: bool) -> None:
    """Check attributes against the pool's schema.

    Args:
        complete: Whether these are all attributes of a new user, so that what is required must be
            there.

    Raises:
        ServiceError: One is not in the schema, has a wrong value, or is missing.
    """
    problems = [
        f"{name}: {problem}"
        for name, value in attributes.items()
        if (problem := _attribute_problem(pool, name, value))
    ]
    if complete:
        problems += [
            f"{name}: The attribute is required"
            for name, attribute in pool.schema_attributes.items()
            if attribute.required and name != "sub" and not attributes.get(name)
        ]
    if problems:
        text = "".join(f"{problem}\n" for problem in problems)
        raise invalid_parameter(f"Attributes did not conform to the schema: {text}")
    if (email := attributes.get("email")) and not _EMAIL.fullmatch(email):
        raise invalid_parameter("Invalid email address format.")
    if (phone := attributes.get("phone_number")) and not _PHONE.fullmatch(phone):
        raise invalid_parameter("Invalid phone number format.")


def _attribute_problem(pool: Pool, name: str, value: str) -> str | None:
    attribute = pool.schema_attributes.get(name)
    if attribute is None:
        # A pool whose schema names only some standard attributes has the others, too.
        return None if name in _STANDARD else "Attribute does not exist in the schema."
    if attribute.data_type == "Number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return "Attribute value is not a number."
    limits = attribute.string_constraints or {}
    if attribute.data_type == "String" and value:
        if len(value) < int(limits.get("MinLength") or 0):
            return f"String must be no shorter than {limits['MinLength']} characters"
        if len(value) > int(limits.get("MaxLength") or 2048):
            return f"String must be no longer than {limits.get('MaxLength') or 2048} characters"
    if name == "birthdate" and value and not _is_date(value):
        return "Birthdate must be in format YYYY-MM-DD"
    return None


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


_STANDARD: Final = frozenset(
    (
        *("sub", "name", "given_name", "family_name", "middle_name", "nickname"),
        *("preferred_username", "profile", "picture", "website", "email", "email_verified"),
        *("gender", "birthdate", "zoneinfo", "locale", "phone_number", "phone_number_verified"),
        *("address", "updated_at"),
    )
)

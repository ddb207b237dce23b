"""What the operations of user pools share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack.services.cognito.directory import (
    CONTACTS,
    Client,
    Directory,
    Pool,
    User,
    event_attributes,
    find_user,
    set_attributes,
)
from trigger_stack.services.cognito.errors import invalid_parameter, not_authorized, user_not_found
from trigger_stack.services.cognito.messages import Messages
from trigger_stack.services.cognito.secrets_store import CONFIRMATION_S, RESET_S, Codes, Sessions
from trigger_stack.services.cognito.srp import Verifier
from trigger_stack.services.cognito.tokens import Tokens, pool_id_in
from trigger_stack.services.cognito.triggers import (
    NO_CLIENT,
    Subject,
    Triggers,
    with_metadata,
)
from trigger_stack.services.operations import Caller

CONFIRM: Final = "confirm"
RESET: Final = "reset"
VERIFY: Final = "verify"
_LASTS_S: Final = {CONFIRM: CONFIRMATION_S, RESET: RESET_S, VERIFY: CONFIRMATION_S}


@dataclass(frozen=True)
class Core:
    """The parts of the service.

    Attributes:
        directory: Pools, clients and users.
        triggers: The functions of pools.
        messages: To users.
        codes: That were sent.
        sessions: Sign-ins in progress.
        tokens: Keys and tokens.
        now: The time by which codes, sessions and tokens expire, in seconds since 1970.
    """

    directory: Directory
    triggers: Triggers
    messages: Messages
    codes: Codes
    sessions: Sessions
    tokens: Tokens
    now: Callable[[], float]

    def pool(self, caller: Caller, request: Mapping[str, Any]) -> Pool:
        """The pool that a request names.

        Raises:
            ServiceError: There is none.
        """
        return self.directory.pool(caller.account_id, caller.region, request["UserPoolId"])

    def user(self, pool: Pool, name: str) -> User:
        """The user that an administrator names.

        Raises:
            ServiceError: There is none.
        """
        user = find_user(pool, name)
        if user is None:
            raise user_not_found()
        return user

    def by_access_token(self, token: str) -> tuple[Pool, User, dict[str, Any]]:
        """The pool and user of an access token, and its claims.

        Raises:
            ServiceError: It is none, or its user may not.
        """
        pool_id = pool_id_in(token)
        pool = next((one for one in self.directory.pools() if one.id == pool_id), None)
        if pool is None:
            raise not_authorized("Invalid Access Token")
        claims = self.tokens.access(pool, token)
        user = pool.users.get(str(claims.get("username")))
        if user is None or user.id != claims["sub"]:
            raise user_not_found()
        if not user.enabled:
            raise not_authorized("User is disabled.")
        return pool, user, claims

    def set_password(self, pool: Pool, user: User, password: str) -> None:
        """Give a user a password; what is kept of it does not contain it."""
        user.password = Verifier.of(pool.id, user.username, password)

    def send_code(
        self,
        pool: Pool,
        user: User,
        client: Client | None,
        purpose: str,
        action: str,
        attribute: str,
        metadata: Mapping[str, str] | None,
    ) -> dict[str, str]:
        """Issue a code and send it; returns ``CodeDeliveryDetails``."""
        lasts_s = _LASTS_S[purpose]
        kept = f"{purpose}:{attribute}" if purpose == VERIFY else purpose
        code = self.codes.issue(pool.id, user.id, kept, attribute, lasts_s)
        client_id = client.id if client else NO_CLIENT
        return self.messages.send_code(pool, user, client_id, action, attribute, code, metadata)

    def confirmed(
        self,
        pool: Pool,
        user: User,
        client_id: str,
        action: str,
        metadata: Mapping[str, str] | None,
    ) -> None:
        """Call the post confirmation trigger."""
        request = with_metadata({"userAttributes": event_attributes(user)}, metadata)
        subject = Subject(pool, user.username, client_id)
        self.triggers.call(subject, "PostConfirmation", action, request, {})

    def verified(self, user: User, attribute: str | None) -> None:
        """Mark a contact as verified."""
        if attribute in CONTACTS:
            set_attributes(user, {CONTACTS[attribute]: "true"})


def recovery_contact(pool: Pool, user: User) -> str:
    """The verified contact that a reset code goes to.

    Raises:
        ServiceError: There is none, or only an administrator resets passwords.
    """
    setting = pool.extended_config.get("AccountRecoverySetting") or {}
    mechanisms = setting.get("RecoveryMechanisms") or [
        {"Priority": 1, "Name": "verified_phone_number"},
        {"Priority": 2, "Name": "verified_email"},
    ]
    for mechanism in sorted(mechanisms, key=lambda one: int(one["Priority"])):
        if mechanism["Name"] == "admin_only":
            raise not_authorized("Contact administrator to reset password.")
        attribute = str(mechanism["Name"]).removeprefix("verified_")
        mark = user.attribute_lookup.get(CONTACTS.get(attribute, ""))
        if user.attribute_lookup.get(attribute) and mark == "true":
            return attribute
    raise invalid_parameter(
        "Cannot reset password for the user as there is no registered/verified email or"
        " phone_number"
    )


def auto_verified(pool: Pool) -> list[str]:
    """The contacts that the pool verifies by a code, the one that is used first."""
    asked = pool.extended_config.get("AutoVerifiedAttributes") or []
    return [attribute for attribute in ("phone_number", "email") if attribute in asked]

"""Forgotten, reset and changed passwords.

AWS topics: Amazon Cognito Developer Guide, "Passwords, account recovery, and password policies";
API Reference, the actions below.
"""

from __future__ import annotations

from trigger_stack.services.cognito.core import RESET, Core, recovery_contact
from trigger_stack.services.cognito.directory import (
    CONFIRMED,
    FORCE_CHANGE_PASSWORD,
    RESET_REQUIRED,
    UNCONFIRMED,
    check_secret_hash,
    find_user,
    hides_missing_users,
    status_of,
)
from trigger_stack.services.cognito.errors import (
    code_mismatch,
    not_authorized,
    user_not_found,
)
from trigger_stack.services.cognito.messages import masked
from trigger_stack.services.cognito.migration import migrate
from trigger_stack.services.cognito.rules import check_password, temporary_password_days
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Answer, Caller, Request, operation

_NO_COMBINATION = "Username/client id combination not found."


class Passwords:
    """The operations on passwords.

    Args:
        core: What they share with the others.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    @operation("ForgotPassword")
    def forgot_password(self, caller: Caller, request: Request) -> Answer:
        """Send a code that lets a user set a new password."""
        del caller
        core, name = self._core, request["Username"]
        pool, client = core.directory.pool_of_client(request["ClientId"])
        check_secret_hash(client, name, request.get("SecretHash"))
        metadata = request.get("ClientMetadata")
        simulated = {"CodeDeliveryDetails": masked(f"{name[:1]}@h", "email")}
        user = find_user(pool, name)
        if user is None and core.triggers.has(pool, "UserMigration"):
            user = migrate(core, pool, client, name, None, "ForgotPassword", None, metadata)
        if user is None:
            if hides_missing_users(client):
                return simulated
            raise user_not_found(_NO_COMBINATION)
        try:
            if not user.enabled:
                raise not_authorized("User is disabled.")
            if status_of(user) == FORCE_CHANGE_PASSWORD:
                raise not_authorized("User password cannot be reset in the current state.")
            contact = recovery_contact(pool, user)
        except ServiceError:
            if hides_missing_users(client):
                return simulated
            raise
        return {
            "CodeDeliveryDetails": core.send_code(
                pool, user, client, RESET, "ForgotPassword", contact, metadata
            )
        }

    @operation("ConfirmForgotPassword")
    def confirm_forgot_password(self, caller: Caller, request: Request) -> Answer:
        """Set a new password by the code that was sent."""
        del caller
        core, name = self._core, request["Username"]
        pool, client = core.directory.pool_of_client(request["ClientId"])
        check_secret_hash(client, name, request.get("SecretHash"))
        user = find_user(pool, name)
        if user is None:
            raise (
                code_mismatch() if hides_missing_users(client) else user_not_found(_NO_COMBINATION)
            )
        check_password(pool, request["Password"])
        core.verified(user, core.codes.use(pool.id, user.id, RESET, request["ConfirmationCode"]))
        core.set_password(pool, user, request["Password"])
        if status_of(user) in (RESET_REQUIRED, UNCONFIRMED):
            user.status = CONFIRMED
        metadata = request.get("ClientMetadata")
        core.confirmed(pool, user, client.id, "ConfirmForgotPassword", metadata)
        return {}

    @operation("AdminResetUserPassword")
    def admin_reset_user_password(self, caller: Caller, request: Request) -> Answer:
        """Make a password useless, and send a code for a new one."""
        core = self._core
        pool = core.pool(caller, request)
        user = core.user(pool, request["Username"])
        if not user.enabled:
            raise not_authorized("User is disabled.")
        if status_of(user) not in (CONFIRMED, RESET_REQUIRED):
            raise not_authorized("User password cannot be reset in the current state.")
        contact = recovery_contact(pool, user)
        user.status = RESET_REQUIRED
        metadata = request.get("ClientMetadata")
        core.send_code(pool, user, None, RESET, "ForgotPassword", contact, metadata)
        return {}

    @operation("AdminSetUserPassword")
    def admin_set_user_password(self, caller: Caller, request: Request) -> Answer:
        """Give a user a password: for good, or one to be changed at the next sign-in."""
        core = self._core
        pool = core.pool(caller, request)
        user = core.user(pool, request["Username"])
        check_password(pool, request["Password"])
        core.set_password(pool, user, request["Password"])
        user.status = CONFIRMED if request.get("Permanent") else FORCE_CHANGE_PASSWORD
        ends = core.now() + temporary_password_days(pool) * 86_400
        user.password_expires_at = ends  # type: ignore[attr-defined]  # beside the control plane's
        return {}

    @operation("ChangePassword")
    def change_password(self, caller: Caller, request: Request) -> Answer:
        """Change the password of the user that an access token names."""
        del caller
        core = self._core
        pool, user, _ = core.by_access_token(request["AccessToken"])
        check_password(pool, request["ProposedPassword"])
        previous = request.get("PreviousPassword")
        if user.password is not None and (
            previous is None or not user.password.accepts(pool.id, user.username, previous)
        ):
            raise not_authorized()
        core.set_password(pool, user, request["ProposedPassword"])
        return {}

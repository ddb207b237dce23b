"""New users: by themselves, and by an administrator.

AWS topics: Amazon Cognito Developer Guide, "Signing up and confirming user accounts", "Pre sign-up
Lambda trigger", "Post confirmation Lambda trigger"; API Reference, the actions below.
"""

from __future__ import annotations

from collections.abc import Mapping

from trigger_stack.services.cognito.core import CONFIRM, Core, auto_verified
from trigger_stack.services.cognito.directory import (
    CONFIRMED,
    CONTACTS,
    FORCE_CHANGE_PASSWORD,
    UNCONFIRMED,
    Client,
    Pool,
    User,
    attributes_of,
    check_secret_hash,
    claim_alias,
    find_user,
    hides_missing_users,
    name_for_new_user,
    set_attributes,
    status_of,
)
from trigger_stack.services.cognito.errors import (
    expired_code,
    invalid_lambda_response,
    invalid_parameter,
    not_authorized,
    user_not_found,
)
from trigger_stack.services.cognito.messages import masked
from trigger_stack.services.cognito.rules import (
    check_attributes,
    check_password,
    check_writable,
    temporary_password,
    temporary_password_days,
)
from trigger_stack.services.cognito.triggers import (
    NO_CLIENT,
    Subject,
    Values,
    flag,
    with_metadata,
)
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Answer, Caller, Request, operation

_NO_COMBINATION = "Username/client id combination not found."


class SignUps:
    """The operations that make and confirm users.

    Args:
        core: What they share with the others.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    # -- by themselves ------------------------------------------------------------------------

    @operation("SignUp")
    def sign_up(self, caller: Caller, request: Request) -> Answer:
        """A new user, who confirms by a code unless the pre sign-up trigger does."""
        del caller
        core, name = self._core, request["Username"]
        pool, client = core.directory.pool_of_client(request["ClientId"])
        check_secret_hash(client, name, request.get("SecretHash"))
        if (pool.extended_config.get("AdminCreateUserConfig") or {}).get(
            "AllowAdminCreateUserOnly"
        ):
            raise not_authorized("SignUp is not permitted for this user pool")
        given = attributes_of(request.get("UserAttributes"))
        check_writable(client, given)
        username, attributes = name_for_new_user(pool, name, given)
        _check_free(pool, name, username)
        password = request.get("Password")
        if not password:
            raise invalid_parameter("A password is needed: sign-up without one is not supported.")
        check_password(pool, password)
        check_attributes(pool, attributes, complete=True)
        metadata = request.get("ClientMetadata")
        user = core.directory.new_user(pool, username, UNCONFIRMED, attributes)
        self._pre_sign_up(
            Subject(pool, user.username, client.id),
            "SignUp",
            user,
            attributes,
            attributes_of(request.get("ValidationData")),
            metadata,
        )
        core.set_password(pool, user, password)
        self._add(pool, name, user)
        answer = {"UserConfirmed": status_of(user) == CONFIRMED, "UserSub": user.id}
        if answer["UserConfirmed"]:
            core.confirmed(pool, user, client.id, "ConfirmSignUp", metadata)
            return answer
        details = self._send_confirmation(pool, client, user, "SignUp", metadata)
        return {**answer, "CodeDeliveryDetails": details} if details else answer

    @operation("ConfirmSignUp")
    def confirm_sign_up(self, caller: Caller, request: Request) -> Answer:
        """Confirm a user by the code that was sent."""
        del caller
        core, name = self._core, request["Username"]
        pool, client = core.directory.pool_of_client(request["ClientId"])
        check_secret_hash(client, name, request.get("SecretHash"))
        user = find_user(pool, name)
        if user is None:
            raise expired_code() if hides_missing_users(client) else user_not_found(_NO_COMBINATION)
        self._check_unconfirmed(user)
        code = request["ConfirmationCode"]
        contact = core.codes.use(pool.id, user.id, CONFIRM, code)
        if contact:
            force = bool(request.get("ForceAliasCreation"))
            value = str(user.attribute_lookup.get(contact) or "")
            claim_alias(pool, user, contact, value, force=force)
        core.verified(user, contact)
        user.status = CONFIRMED
        core.confirmed(pool, user, client.id, "ConfirmSignUp", request.get("ClientMetadata"))
        return {}

    @operation("ResendConfirmationCode")
    def resend_confirmation_code(self, caller: Caller, request: Request) -> Answer:
        """Send a new code to a user who has not confirmed."""
        del caller
        core, name = self._core, request["Username"]
        pool, client = core.directory.pool_of_client(request["ClientId"])
        check_secret_hash(client, name, request.get("SecretHash"))
        user = find_user(pool, name)
        if user is None:
            if hides_missing_users(client):
                return {"CodeDeliveryDetails": masked(f"{name[:1]}@h", "email")}
            raise user_not_found(_NO_COMBINATION)
        if status_of(user) != UNCONFIRMED:
            raise invalid_parameter("User is already confirmed.")
        metadata = request.get("ClientMetadata")
        details = self._send_confirmation(pool, client, user, "ResendCode", metadata)
        if details is None:
            raise invalid_parameter("Auto verification not turned on.")
        return {"CodeDeliveryDetails": details}

    # -- by an administrator ------------------------------------------------------------------

    @operation("AdminCreateUser")
    def admin_create_user(self, caller: Caller, request: Request) -> Answer:
        """A new user with a temporary password, which is sent."""
        core, name = self._core, request["Username"]
        pool = core.pool(caller, request)
        password = request.get("TemporaryPassword")
        if password:
            check_password(pool, password)
        action, metadata = request.get("MessageAction"), request.get("ClientMetadata")
        if action == "RESEND":
            user = core.user(pool, name)
            if status_of(user) != FORCE_CHANGE_PASSWORD:
                raise ServiceError(
                    "UnsupportedUserStateException",
                    f"Resend not possible. {name} status is not FORCE_CHANGE_PASSWORD",
                )
        else:
            given = attributes_of(request.get("UserAttributes"))
            username, attributes = name_for_new_user(pool, name, given)
            _check_free(pool, name, username)
            check_attributes(pool, attributes, complete=False)
            user = core.directory.new_user(pool, username, FORCE_CHANGE_PASSWORD, attributes)
            validation = attributes_of(request.get("ValidationData"))
            subject = Subject(pool, user.username)
            self._pre_sign_up(subject, "AdminCreateUser", user, attributes, validation, metadata)
        password = password or temporary_password(pool)
        core.set_password(pool, user, password)
        user.password_expires_at = core.now() + temporary_password_days(pool) * 86_400  # type: ignore[attr-defined]  # beside the control plane's own
        if action != "RESEND":
            self._add(pool, name, user)
        if action != "SUPPRESS":
            default = "SMS" if user.attribute_lookup.get("phone_number") else "EMAIL"
            media = request.get("DesiredDeliveryMediums") or [default]
            core.messages.send_invitation(pool, user, name, password, media, metadata)
        return {"User": described(user)}

    @operation("AdminConfirmSignUp")
    def admin_confirm_sign_up(self, caller: Caller, request: Request) -> Answer:
        """Confirm a user without a code."""
        core = self._core
        pool = core.pool(caller, request)
        user = core.user(pool, request["Username"])
        self._check_unconfirmed(user)
        user.status = CONFIRMED
        core.confirmed(pool, user, NO_CLIENT, "ConfirmSignUp", request.get("ClientMetadata"))
        return {}

    # -- parts --------------------------------------------------------------------------------

    def _pre_sign_up(
        self,
        subject: Subject,
        action: str,
        user: User,
        attributes: Mapping[str, str],
        validation: Mapping[str, str],
        metadata: Mapping[str, str] | None,
    ) -> None:
        """Call the pre sign-up trigger, and do what it says. An administrator decides alone."""
        request: Values = {
            "userAttributes": dict(attributes),
            "validationData": dict(validation) or None,
        }
        response = self._core.triggers.call(
            subject,
            "PreSignUp",
            action,
            with_metadata(request, metadata),
            {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
        )
        if response is None:
            return
        confirm = flag(response, "autoConfirmUser")
        asked = {
            "email": flag(response, "autoVerifyEmail"),
            "phone_number": flag(response, "autoVerifyPhone"),
        }
        if action != "SignUp":
            return
        for attribute, verify in asked.items():
            if verify and not attributes.get(attribute):
                raise invalid_lambda_response(f"{attribute} cannot be verified: the user has none")
            if verify:
                set_attributes(user, {CONTACTS[attribute]: "true"})
        if confirm:
            user.status = CONFIRMED

    def _add(self, pool: Pool, name: str, user: User) -> None:
        """Put a user into its pool, unless somebody took the name meanwhile."""
        with self._core.directory.lock():
            _check_free(pool, name, user.username)
            pool.users[user.username] = user

    def _send_confirmation(
        self,
        pool: Pool,
        client: Client,
        user: User,
        action: str,
        metadata: Mapping[str, str] | None,
    ) -> dict[str, str] | None:
        for attribute in auto_verified(pool):
            if user.attribute_lookup.get(attribute):
                return self._core.send_code(
                    pool, user, client, CONFIRM, action, attribute, metadata
                )
        return None

    def _check_unconfirmed(self, user: User) -> None:
        if status_of(user) != UNCONFIRMED:
            raise not_authorized(f"User cannot be confirmed. Current status is {status_of(user)}")


def described(user: User) -> Values:
    """``UserType`` of the API."""
    return {
        "Username": user.username,
        "Attributes": [{"Name": k, "Value": str(v)} for k, v in user.attribute_lookup.items()],
        "UserCreateDate": getattr(user, "create_date", None),
        "UserLastModifiedDate": getattr(user, "last_modified_date", None),
        "Enabled": user.enabled,
        "UserStatus": status_of(user),
    }


def _check_free(pool: Pool, name: str, username: str | None) -> None:
    if find_user(pool, name) is None and (username is None or username not in pool.users):
        return
    if pool.extended_config.get("UsernameAttributes"):
        kind = "email" if "@" in name else "phone_number"
        message = f"An account with the given {kind} already exists."
    else:
        message = "User already exists"
    raise ServiceError("UsernameExistsException", message)

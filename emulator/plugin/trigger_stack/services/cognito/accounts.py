"""What users do with their own account, by an access token; and what an administrator does with it.

AWS topics: Amazon Cognito user pools API Reference, the actions below; Developer Guide, "Verifying
updates to email addresses and phone numbers".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trigger_stack.services.cognito.core import VERIFY, Core, auto_verified
from trigger_stack.services.cognito.directory import (
    CONTACTS,
    Client,
    Pool,
    User,
    attributes_of,
    claim_alias,
    set_attributes,
)
from trigger_stack.services.cognito.errors import invalid_parameter, unsupported
from trigger_stack.services.cognito.rules import check_attributes, check_writable
from trigger_stack.services.operations import Answer, Caller, Request, operation

_MFA: Final = "Multi-factor authentication is"


class Accounts:
    """The operations on an account.

    Args:
        core: What they share with the others.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    @operation("GetUser")
    def get_user(self, caller: Caller, request: Request) -> Answer:
        """The user that an access token names."""
        del caller
        pool, user, claims = self._core.by_access_token(request["AccessToken"])
        client: Client | None = pool.clients.get(str(claims["client_id"]))
        readable = client.extended_config.get("ReadAttributes") if client else None
        shown = {
            name: value
            for name, value in user.attribute_lookup.items()
            if not readable or name in (*readable, "sub")
        }
        attributes = [{"Name": k, "Value": str(v)} for k, v in shown.items()]
        return {"Username": user.username, "UserAttributes": attributes}

    @operation("UpdateUserAttributes")
    def update_user_attributes(self, caller: Caller, request: Request) -> Answer:
        """Change attributes; a contact that the pool verifies gets a code."""
        del caller
        pool, user, claims = self._core.by_access_token(request["AccessToken"])
        given = attributes_of(request["UserAttributes"])
        client: Client = pool.clients[str(claims["client_id"])]
        check_writable(client, given)
        metadata = request.get("ClientMetadata")
        return {"CodeDeliveryDetailsList": self._update(pool, user, client, given, metadata)}

    @operation("AdminUpdateUserAttributes")
    def admin_update_user_attributes(self, caller: Caller, request: Request) -> Answer:
        """The same, by an administrator, who may mark a contact as verified."""
        pool = self._core.pool(caller, request)
        user = self._core.user(pool, request["Username"])
        given = attributes_of(request["UserAttributes"])
        if "sub" in given:
            raise invalid_parameter("Cannot modify the non-mutable attribute sub")
        self._update(pool, user, None, given, request.get("ClientMetadata"))
        return {}

    def _update(
        self,
        pool: Pool,
        user: User,
        client: Client | None,
        given: Mapping[str, str],
        metadata: Mapping[str, str] | None,
    ) -> list[dict[str, str]]:
        check_attributes(pool, given, complete=False)
        for name in given:
            attribute = pool.schema_attributes.get(name)
            if attribute is not None and not attribute.mutable:
                raise invalid_parameter(
                    f"user.{name}: Attribute cannot be updated. {name} changed."
                )
        changed = [
            contact
            for contact in CONTACTS
            if contact in given and given[contact] != user.attribute_lookup.get(contact)
        ]
        marks = {CONTACTS[contact]: "false" for contact in changed}
        for contact in changed:
            claim_alias(pool, user, contact, given[contact])
        set_attributes(user, {**given, **{k: v for k, v in marks.items() if k not in given}})
        return [
            self._core.send_code(
                pool, user, client, VERIFY, "UpdateUserAttribute", contact, metadata
            )
            for contact in changed
            if contact in auto_verified(pool)
            and given[contact]
            and user.attribute_lookup.get(CONTACTS[contact]) != "true"
        ]

    @operation("GetUserAttributeVerificationCode")
    def get_user_attribute_verification_code(self, caller: Caller, request: Request) -> Answer:
        """Send a code to a contact."""
        del caller
        pool, user, claims = self._core.by_access_token(request["AccessToken"])
        contact = request["AttributeName"]
        if contact not in CONTACTS or not user.attribute_lookup.get(contact):
            raise invalid_parameter("Attribute does not exist or cannot be verified.")
        details = self._core.send_code(
            *(pool, user, pool.clients.get(str(claims["client_id"])), VERIFY),
            *("VerifyUserAttribute", contact, request.get("ClientMetadata")),
        )
        return {"CodeDeliveryDetails": details}

    @operation("VerifyUserAttribute")
    def verify_user_attribute(self, caller: Caller, request: Request) -> Answer:
        """Verify a contact by the code that was sent."""
        del caller
        pool, user, _ = self._core.by_access_token(request["AccessToken"])
        contact = request["AttributeName"]
        purpose = f"{VERIFY}:{contact}"
        self._core.codes.use(pool.id, user.id, purpose, request["Code"])
        self._core.verified(user, contact)
        return {}

    @operation("DeleteUser")
    def delete_user(self, caller: Caller, request: Request) -> Answer:
        """Delete the account."""
        del caller
        pool, user, _ = self._core.by_access_token(request["AccessToken"])
        self._core.tokens.sign_out(pool, user)
        with self._core.directory.lock():
            for group in list(user.groups):
                group.users.discard(user)
            pool.users.pop(user.username, None)
        return {}

    @operation("DeleteUserAttributes")
    def delete_user_attributes(self, caller: Caller, request: Request) -> Answer:
        """Delete attributes that are not required."""
        del caller
        pool, user, _ = self._core.by_access_token(request["AccessToken"])
        gone = request["UserAttributeNames"]
        for name in gone:
            attribute = pool.schema_attributes.get(name)
            if name == "sub" or (attribute is not None and attribute.required):
                raise invalid_parameter(f"user.{name}: Attribute cannot be deleted.")
        marks = [CONTACTS[name] for name in gone if name in CONTACTS]
        known = [name for name in (*gone, *marks) if name in user.attribute_lookup]
        user.delete_attributes(known)  # type: ignore[attr-defined]  # the control plane's
        return {}

    @operation("GlobalSignOut")
    def global_sign_out(self, caller: Caller, request: Request) -> Answer:
        """Revoke every token of the user."""
        del caller
        pool, user, _ = self._core.by_access_token(request["AccessToken"])
        self._core.tokens.sign_out(pool, user)
        return {}

    @operation("AdminUserGlobalSignOut")
    def admin_user_global_sign_out(self, caller: Caller, request: Request) -> Answer:
        """The same, by an administrator."""
        pool = self._core.pool(caller, request)
        self._core.tokens.sign_out(pool, self._core.user(pool, request["Username"]))
        return {}

    # -- what is not part of the stack ----------------------------------------------------------

    @operation("AssociateSoftwareToken")
    def associate_software_token(self, caller: Caller, request: Request) -> Answer:
        """Refused."""
        raise unsupported(_MFA)

    @operation("VerifySoftwareToken")
    def verify_software_token(self, caller: Caller, request: Request) -> Answer:
        """Refused."""
        raise unsupported(_MFA)

    @operation("SetUserMFAPreference")
    def set_user_mfa_preference(self, caller: Caller, request: Request) -> Answer:
        """Refused."""
        raise unsupported(_MFA)

    @operation("AdminSetUserMFAPreference")
    def admin_set_user_mfa_preference(self, caller: Caller, request: Request) -> Answer:
        """Refused."""
        raise unsupported(_MFA)

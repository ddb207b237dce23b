"""Pools, clients and users as the control plane keeps them, and how a user is found.

AWS topics: Amazon Cognito Developer Guide, "Working with user attributes", "Customizing sign-in
attributes" (usernames and aliases).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from trigger_stack.services.cognito.errors import invalid_parameter, not_authorized
from trigger_stack.services.errors import ServiceError

CONFIRMED: Final = "CONFIRMED"
UNCONFIRMED: Final = "UNCONFIRMED"
FORCE_CHANGE_PASSWORD: Final = "FORCE_CHANGE_PASSWORD"  # noqa: S105  a status
RESET_REQUIRED: Final = "RESET_REQUIRED"
#: The attributes that a message can go to, and that can be verified.
CONTACTS: Final = {"email": "email_verified", "phone_number": "phone_number_verified"}


class Group(Protocol):
    """A group of a pool."""

    group_name: str
    precedence: int | None
    role_arn: str | None


class User(Protocol):
    """A user of a pool."""

    id: str
    username: str
    password: Any
    status: Any
    enabled: bool
    groups: set[Any]
    attribute_lookup: dict[str, Any]

    def update_attributes(self, new_attributes: list[dict[str, Any]]) -> None:
        """Set attributes: ``[{Name, Value}]``."""


class Client(Protocol):
    """An app client of a pool."""

    id: str
    secret: str
    generate_secret: bool
    extended_config: dict[str, Any]


class Pool(Protocol):
    """A user pool."""

    id: str
    arn: str
    account_id: str
    region: str
    name: str
    extended_config: dict[str, Any]
    users: dict[str, Any]
    clients: dict[str, Any]
    groups: dict[str, Any]
    schema_attributes: dict[str, Any]


class Directory(Protocol):
    """Finds pools, and makes users."""

    def pool(self, account_id: str, region: str, pool_id: str) -> Pool:
        """The pool of an id.

        Raises:
            ServiceError: There is none.
        """

    def pool_of_client(self, client_id: str) -> tuple[Pool, Client]:
        """The pool that has a client, and the client.

        Raises:
            ServiceError: There is none.
        """

    def pools(self) -> list[Pool]:
        """Every pool of every account and region."""

    def new_user(
        self, pool: Pool, username: str | None, status: str, attributes: Mapping[str, str]
    ) -> User:
        """A user that is not in the pool yet; without a name it is named by its id."""

    def lock(self) -> Any:
        """A context manager: who holds it may change pools."""


def attributes_of(pairs: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """``[{Name, Value}]`` as a mapping."""
    return {str(pair["Name"]): str(pair.get("Value") or "") for pair in pairs or []}


def set_attributes(user: User, attributes: Mapping[str, str]) -> None:
    """Set some attributes of a user."""
    user.update_attributes([{"Name": k, "Value": v} for k, v in attributes.items()])


def event_attributes(user: User) -> dict[str, str]:
    """``request.userAttributes`` of an event: with ``sub`` and ``cognito:user_status``."""
    attributes = {str(k): str(v) for k, v in user.attribute_lookup.items()}
    return {"sub": user.id, "cognito:user_status": status_of(user), **attributes}


def status_of(user: User) -> str:
    """The user's status, as AWS names it."""
    return str(getattr(user.status, "value", user.status))


def folds_case(pool: Pool) -> bool:
    """Whether the pool's usernames and aliases ignore case."""
    configuration = pool.extended_config.get("UsernameConfiguration") or {}
    return configuration.get("CaseSensitive") is False


def find_user(pool: Pool, name: str) -> User | None:
    """The user that signs in with a name: its username, or an alias that it may be found by."""
    wanted = name.lower() if folds_case(pool) else name

    def same(value: Any) -> bool:
        text = str(value or "")
        return bool(text) and (text.lower() if folds_case(pool) else text) == wanted

    users = list(pool.users.values())
    for user in users:
        if same(user.username):
            return user  # type: ignore[no-any-return]  # the control plane's
    names: Sequence[str] = pool.extended_config.get("UsernameAttributes") or []
    for user in users:
        if any(same(user.attribute_lookup.get(attribute)) for attribute in names):
            return user  # type: ignore[no-any-return]  # the control plane's
    aliases: Sequence[str] = pool.extended_config.get("AliasAttributes") or []
    for user in users:
        for attribute in aliases:
            mark = CONTACTS.get(attribute)
            verified = mark is None or user.attribute_lookup.get(mark) == "true"
            if verified and same(user.attribute_lookup.get(attribute)):
                return user  # type: ignore[no-any-return]  # the control plane's
    return None


def claim_alias(pool: Pool, user: User, attribute: str, value: str, *, force: bool = False) -> None:
    """Make sure that nobody else is found by a contact that a user is to have.

    Args:
        force: Take it away from whoever has it.

    Raises:
        ServiceError: Somebody else has it.
    """
    names = pool.extended_config.get("UsernameAttributes") or []
    aliases = pool.extended_config.get("AliasAttributes") or []
    if not value or attribute not in (*names, *aliases):
        return
    for other in [one for one in list(pool.users.values()) if one is not user]:
        held = other.attribute_lookup.get(attribute) == value
        if not held or (
            attribute in aliases and other.attribute_lookup.get(CONTACTS[attribute]) != "true"
        ):
            continue
        if not force or attribute in names:
            raise ServiceError(
                "AliasExistsException", f"An account with the {attribute} already exists."
            )
        set_attributes(other, {CONTACTS[attribute]: "false"})


def name_for_new_user(
    pool: Pool, username: str, attributes: Mapping[str, str]
) -> tuple[str | None, dict[str, str]]:
    """The username of a user that is to be made, and its attributes.

    Where users sign in with a contact, the name that they give is that contact, and their own is
    their id: then the name is None.

    Raises:
        ServiceError: The name is no contact where it must be one, or looks like an alias.
    """
    names = pool.extended_config.get("UsernameAttributes") or []
    kind = _kind(username)
    if names:
        if kind not in names:
            raise invalid_parameter("Username should be either an email or a phone number.")
        return None, {**attributes, kind: username}
    aliases = pool.extended_config.get("AliasAttributes") or []
    if kind in aliases:
        article = "email" if kind == "email" else "phone number"
        raise invalid_parameter(
            f"Username cannot be of {article} format, since user pool is configured for"
            f" {article} alias."
        )
    return username, dict(attributes)


def _kind(username: str) -> str:
    if username.startswith("+") and username[1:].isdigit():
        return "phone_number"
    name, at, domain = username.partition("@")
    return "email" if name and at and "." in domain else ""


def check_secret_hash(client: Client, username: str, given: str | None) -> None:
    """Check the proof that a request comes from a client with a secret.

    Raises:
        ServiceError: It is missing or wrong.
    """
    if not client.generate_secret:
        return
    if given is None:
        raise not_authorized(
            f"Client {client.id} is configured with secret but SECRET_HASH was not received"
        )
    message = f"{username}{client.id}".encode()
    right = hmac.new(client.secret.encode(), message, hashlib.sha256).digest()
    if not hmac.compare_digest(base64.b64encode(right).decode(), given):
        raise not_authorized(f"SecretHash does not match for the client: {client.id}")


def hides_missing_users(client: Client | None) -> bool:
    """Whether answers must not show that a user does not exist."""
    return client is not None and (
        client.extended_config.get("PreventUserExistenceErrors") == "ENABLED"
    )

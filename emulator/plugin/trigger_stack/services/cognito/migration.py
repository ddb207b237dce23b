"""Users that come from another directory when they sign in or forget their password.

AWS topic: Amazon Cognito Developer Guide, "Migrate user Lambda trigger".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from trigger_stack.services.cognito.core import Core
from trigger_stack.services.cognito.directory import (
    CONFIRMED,
    RESET_REQUIRED,
    Client,
    Pool,
    User,
    find_user,
    hides_missing_users,
    name_for_new_user,
)
from trigger_stack.services.cognito.errors import invalid_lambda_response, user_not_found
from trigger_stack.services.cognito.rules import check_attributes
from trigger_stack.services.cognito.triggers import (
    Subject,
    Values,
    flag,
    names,
    text,
    texts,
    with_metadata,
)
from trigger_stack.services.errors import ServiceError

LOG = logging.getLogger(__name__)


def migrate(
    core: Core,
    pool: Pool,
    client: Client,
    username: str,
    password: str | None,
    action: str,
    validation: Mapping[str, str] | None,
    metadata: Mapping[str, str] | None,
) -> User | None:
    """Ask the migrate user trigger for a user, and make it.

    Args:
        password: What the user signs in with; None for a forgotten one.
        action: ``Authentication`` or ``ForgotPassword``.

    Returns:
        The new user; None when the trigger has none and the client must not see that.

    Raises:
        ServiceError: ``UserNotFoundException``: the function failed, or gave no user.
    """
    request: Values = {"password": password, "validationData": dict(validation or {}) or None}
    response: Values = {
        "userAttributes": None,
        "forceAliasCreation": None,
        "enableSMSMFA": None,
        "finalUserStatus": None,
        "messageAction": None,
        "desiredDeliveryMediums": None,
    }
    subject = Subject(pool, username, client.id)
    try:
        answer = core.triggers.call(
            subject, "UserMigration", action, with_metadata(request, metadata), response
        )
        return _made(core, pool, username, password, answer or {})
    except _NoUserError:
        if hides_missing_users(client):
            return None
        raise _failed(client) from None
    except ServiceError as error:
        LOG.warning("user pool %s: no user was migrated: %s", pool.id, error.message)
        raise _failed(client) from None


class _NoUserError(Exception):
    """The trigger answered, and knows no such user."""


def _failed(client: Client) -> ServiceError:
    return user_not_found(f"Exception migrating user in app client {client.id}")


def _made(core: Core, pool: Pool, username: str, password: str | None, answer: Values) -> User:
    given = texts(answer, "userAttributes")
    if not given:
        raise _NoUserError
    status = text(answer, "finalUserStatus") or CONFIRMED
    if status not in (CONFIRMED, RESET_REQUIRED):
        raise invalid_lambda_response(f"finalUserStatus must not be {status}")
    force = flag(answer, "forceAliasCreation")
    name, attributes = name_for_new_user(pool, username, given)
    attributes.pop("username", None)
    check_attributes(pool, attributes, complete=False)
    user = core.directory.new_user(pool, name, status, attributes)
    if password is not None:
        core.set_password(pool, user, password)
    with core.directory.lock():
        if find_user(pool, username) is not None:
            raise invalid_lambda_response("the user exists meanwhile")
        _check_aliases(pool, attributes, force=force)
        pool.users[user.username] = user
    if text(answer, "messageAction") != "SUPPRESS" and names(answer, "desiredDeliveryMediums"):
        LOG.warning("user pool %s: migrated users get no welcome message here", pool.id)
    return user


def _check_aliases(pool: Pool, attributes: Mapping[str, str], *, force: bool) -> None:
    for alias in pool.extended_config.get("AliasAttributes") or []:
        holder = find_user(pool, attributes[alias]) if attributes.get(alias) else None
        if holder is None:
            continue
        if not force:
            raise invalid_lambda_response(f"another user has the alias {alias}")
        holder.update_attributes([{"Name": f"{alias}_verified", "Value": "false"}])

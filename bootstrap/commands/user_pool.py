"""``bootstrap fire-user-pool``: a Lambda trigger of a user pool, by a user made for it."""

from __future__ import annotations

import uuid
from contextlib import ExitStack, suppress
from typing import Any

from botocore.exceptions import ClientError

from bootstrap.console import out
from bootstrap.errors import DeployError, WrongUseError
from bootstrap.settings import Settings

_FLOWS = ("ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH")
#: What a required attribute has when any text will do.
_ATTRIBUTES = {
    "birthdate": "2000-01-31",
    "locale": "en-US",
    "phone_number": "+12065550100",
    "updated_at": "0",
    "zoneinfo": "Europe/Berlin",
}


def fire(name: str, trigger: str) -> None:
    """Sign up or in as a user that exists for this alone, so that a pool calls its trigger.

    The user and the app client are removed afterwards; the journal keeps the trigger's event.

    Args:
        name: of the pool, or its id.
        trigger: its name in ``LambdaConfig``: ``PreSignUp``.

    Raises:
        WrongUseError: there is no such pool, or it has no such trigger.
        DeployError: Cognito refused what has to come before the trigger.
    """
    cognito = Settings.from_environment().client("cognito-idp")
    pool = _pool(cognito, name)
    configured = pool.get("LambdaConfig", {})
    triggers = {key.removesuffix("Config") for key, value in configured.items() if value}
    if trigger not in triggers:
        known = ", ".join(sorted(triggers)) or "none"
        raise WrongUseError(f"TRIGGER={trigger}: {name} has no such trigger. It has: {known}.")
    with ExitStack() as stack:
        visitor = _Visitor(cognito, pool, stack)
        try:
            fired = visitor.prepare(trigger)
        except ClientError as error:
            raise DeployError(
                f"{name}: {trigger} was not reached: Cognito answered {_said(error)}"
            ) from error
        try:
            said = fired()
        except ClientError as error:
            said = f"Cognito answered {_said(error)}"
    out.print(f"{name}: {trigger} for {visitor.username}: {said}", markup=False)
    out.print(f"What the function did: make events SOURCE={pool['Id']}", markup=False)


def _pool(cognito: Any, name: str) -> dict[str, Any]:
    pages = cognito.get_paginator("list_user_pools").paginate(MaxResults=60)
    pools = [one for page in pages for one in page["UserPools"]]
    found = [one["Id"] for one in pools if name in (one["Name"], one["Id"])]
    if len(found) != 1:
        what = f"{len(found)} pools have this name, give an id of" if found else "no such user pool"
        known = ", ".join(f"{one['Name']} ({one['Id']})" for one in pools) or "none"
        raise WrongUseError(f"POOL={name}: {what}. There are: {known}.")
    pool: dict[str, Any] = cognito.describe_user_pool(UserPoolId=found[0])["UserPool"]
    return pool


def _said(error: ClientError) -> str:
    return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"


class _Visitor:
    """A user that exists as long as its stack does.

    Args:
        cognito: client.
        pool: as ``DescribeUserPool`` gives it.
        stack: removes the user and the app client.
    """

    def __init__(self, cognito: Any, pool: dict[str, Any], stack: ExitStack) -> None:
        unique = uuid.uuid4()
        self._cognito, self._id = cognito, pool["Id"]
        policy = pool.get("Policies", {}).get("PasswordPolicy", {})
        self._password = f"Aa1!{unique.hex}".ljust(int(policy.get("MinimumLength", 8)), "x")
        address = f"fire-{unique.hex[:12]}@example.com"
        phone = f"+1206{unique.int % 10**7:07}"
        named_by = pool.get("UsernameAttributes") or []
        self.username = f"fire-{unique.hex[:12]}"
        if named_by:
            self.username = address if "email" in named_by else phone
        attributes = {"email": address}
        for one in pool.get("SchemaAttributes", []):
            if one.get("Required") and one["Name"] not in ("sub", "email"):
                attributes[one["Name"]] = _ATTRIBUTES.get(one["Name"], "example")
        if "phone_number" in attributes or named_by == ["phone_number"]:
            attributes["phone_number"] = phone
        self._attributes = [{"Name": n, "Value": value} for n, value in attributes.items()]
        client = cognito.create_user_pool_client(
            UserPoolId=self._id, ClientName=self.username[:21], ExplicitAuthFlows=list(_FLOWS)
        )
        self._client = client["UserPoolClient"]["ClientId"]
        stack.callback(cognito.delete_user_pool_client, UserPoolId=self._id, ClientId=self._client)
        stack.callback(self._remove)

    def prepare(self, trigger: str) -> Any:
        """Do what comes before a trigger.

        Returns:
            A call that has Cognito call the trigger, and says what happened.
        """
        match trigger:
            case "PreSignUp":
                return self._sign_up
            case "PostConfirmation":
                confirmed = self._cognito.sign_up(**self._new_user())["UserConfirmed"]
                return (lambda: "signed up, confirmed at once") if confirmed else self._confirm
            case "CustomMessage":
                return self._invite
            case "UserMigration":
                return lambda: self._sign_in("USER_PASSWORD_AUTH", PASSWORD=self._password)
        self._create()
        if trigger in ("DefineAuthChallenge", "CreateAuthChallenge"):
            return lambda: self._sign_in("CUSTOM_AUTH")
        if trigger == "VerifyAuthChallengeResponse":
            challenge = self._begin("CUSTOM_AUTH")
            return lambda: self._answer(challenge)
        return lambda: self._sign_in("USER_PASSWORD_AUTH", PASSWORD=self._password)

    def _new_user(self) -> dict[str, Any]:
        return {
            "ClientId": self._client,
            "Username": self.username,
            "Password": self._password,
            "UserAttributes": self._attributes,
        }

    def _sign_up(self) -> str:
        self._cognito.sign_up(**self._new_user())
        return "signed up"

    def _confirm(self) -> str:
        self._cognito.admin_confirm_sign_up(UserPoolId=self._id, Username=self.username)
        return "signed up and confirmed"

    def _invite(self) -> str:
        self._cognito.admin_create_user(
            UserPoolId=self._id,
            Username=self.username,
            UserAttributes=self._attributes,
            DesiredDeliveryMediums=["EMAIL"],
        )
        return "invited by a mail"

    def _create(self) -> None:
        named = {"UserPoolId": self._id, "Username": self.username}
        self._cognito.admin_create_user(
            **named, UserAttributes=self._attributes, MessageAction="SUPPRESS"
        )
        self._cognito.admin_set_user_password(**named, Password=self._password, Permanent=True)

    def _begin(self, flow: str, **parameters: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._cognito.initiate_auth(
            AuthFlow=flow,
            ClientId=self._client,
            AuthParameters={"USERNAME": self.username, **parameters},
        )
        return answer

    def _sign_in(self, flow: str, **parameters: str) -> str:
        return _outcome(self._begin(flow, **parameters))

    def _answer(self, challenge: dict[str, Any]) -> str:
        name = challenge["ChallengeParameters"].get("USERNAME", self.username)
        return "the answer was wrong: " + _outcome(
            self._cognito.respond_to_auth_challenge(
                ClientId=self._client,
                ChallengeName=challenge["ChallengeName"],
                Session=challenge["Session"],
                ChallengeResponses={"USERNAME": name, "ANSWER": "fire"},
            )
        )

    def _remove(self) -> None:
        with suppress(self._cognito.exceptions.UserNotFoundException):
            self._cognito.admin_delete_user(UserPoolId=self._id, Username=self.username)


def _outcome(answer: dict[str, Any]) -> str:
    challenge = answer.get("ChallengeName")
    return f"asked for {challenge}" if challenge else "signed in"

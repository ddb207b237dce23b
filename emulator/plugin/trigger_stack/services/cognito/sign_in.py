"""Sign-in: flows, challenges and tokens.

AWS topics: Amazon Cognito Developer Guide, "Authentication with Amazon Cognito user pools", "Custom
authentication challenge Lambda triggers", "Pre token generation Lambda trigger"; API Reference,
"InitiateAuth" and "RespondToAuthChallenge".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from trigger_stack.services.cognito.core import Core
from trigger_stack.services.cognito.directory import (
    CONFIRMED,
    FORCE_CHANGE_PASSWORD,
    RESET_REQUIRED,
    UNCONFIRMED,
    Client,
    Pool,
    User,
    check_secret_hash,
    event_attributes,
    find_user,
    hides_missing_users,
    set_attributes,
    status_of,
)
from trigger_stack.services.cognito.errors import (
    invalid_lambda_response,
    invalid_parameter,
    not_authorized,
    not_found,
    unsupported,
    user_not_found,
)
from trigger_stack.services.cognito.migration import migrate
from trigger_stack.services.cognito.overrides import overrides_of
from trigger_stack.services.cognito.rules import check_attributes, check_password, check_writable
from trigger_stack.services.cognito.srp import Exchange, Verifier
from trigger_stack.services.cognito.tokens import SCOPE, Overrides, SignIn, groups_of
from trigger_stack.services.cognito.triggers import (
    Subject,
    Values,
    flag,
    text,
    texts,
    with_metadata,
)
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Answer, Caller, Request, operation

CUSTOM_CHALLENGE: Final = "CUSTOM_CHALLENGE"
PASSWORD_VERIFIER: Final = "PASSWORD_VERIFIER"  # noqa: S105  a challenge
NEW_PASSWORD_REQUIRED: Final = "NEW_PASSWORD_REQUIRED"  # noqa: S105  a challenge
#: Flows by the name that a client may be allowed with, and its older one.
_FLOWS: Final = {
    "USER_PASSWORD_AUTH": ("ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"),
    "USER_SRP_AUTH": ("ALLOW_USER_SRP_AUTH", "ALLOW_USER_SRP_AUTH"),
    "CUSTOM_AUTH": ("ALLOW_CUSTOM_AUTH", "CUSTOM_AUTH_FLOW_ONLY"),
    "REFRESH_TOKEN_AUTH": ("ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"),
    "ADMIN_USER_PASSWORD_AUTH": ("ALLOW_ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"),
}
_OTHER_NAMES: Final = {
    "REFRESH_TOKEN": "REFRESH_TOKEN_AUTH",
    "ADMIN_NO_SRP_AUTH": "ADMIN_USER_PASSWORD_AUTH",
}
_DEFAULT_FLOWS: Final = ("ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH")
_NOT_ENABLED: Final = {
    "USER_PASSWORD_AUTH": "USER_PASSWORD_AUTH flow not enabled for this client",
    "ADMIN_USER_PASSWORD_AUTH": "Auth flow not enabled for this client",
}
_FREE_FAILURES: Final = 5
_LONGEST_LOCK_S: Final = 900.0
_NOT_CONFIGURED: Final = "Custom auth lambda trigger is not configured for the user pool."


@dataclass(frozen=True)
class _State:
    """A sign-in that waits for the answer to a challenge.

    Attributes:
        pool_id: Id of the pool.
        client_id: Id of the client.
        username: The user's name; of one that does not exist, what was given.
        challenge: The challenge.
        custom: Whether the triggers decide what comes next.
        session: What the triggers see of the challenges so far.
        private: ``privateChallengeParameters`` of this challenge.
        metadata: ``challengeMetadata`` of this challenge.
        exchange: Of ``PASSWORD_VERIFIER``.
    """

    pool_id: str
    client_id: str
    username: str
    challenge: str
    custom: bool = False
    session: tuple[Values, ...] = ()
    private: Mapping[str, str] = field(default_factory=dict)
    metadata: str | None = None
    exchange: Exchange | None = None


class SignIns:
    """The operations that sign users in.

    Args:
        core: What they share with the others.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._failures = Failures(core.now)

    # -- the operations -----------------------------------------------------------------------

    @operation("InitiateAuth")
    def initiate_auth(self, caller: Caller, request: Request) -> Answer:
        """Begin to sign in, or refresh tokens."""
        del caller
        flow = _flow(request["AuthFlow"])
        if flow == "ADMIN_USER_PASSWORD_AUTH":
            raise invalid_parameter("Initiate Auth method not supported.")
        pool, client = self._core.directory.pool_of_client(request["ClientId"])
        return self._initiate(pool, client, flow, request)

    @operation("AdminInitiateAuth")
    def admin_initiate_auth(self, caller: Caller, request: Request) -> Answer:
        """The same, by a server."""
        pool = self._core.pool(caller, request)
        client = _client(pool, request["ClientId"])
        flow = _flow(request["AuthFlow"])
        if flow == "USER_PASSWORD_AUTH":
            raise invalid_parameter("Initiate Auth method not supported.")
        return self._initiate(pool, client, flow, request)

    @operation("RespondToAuthChallenge")
    def respond_to_auth_challenge(self, caller: Caller, request: Request) -> Answer:
        """Answer a challenge."""
        del caller
        pool, client = self._core.directory.pool_of_client(request["ClientId"])
        return self._respond(pool, client, request)

    @operation("AdminRespondToAuthChallenge")
    def admin_respond_to_auth_challenge(self, caller: Caller, request: Request) -> Answer:
        """The same, by a server."""
        pool = self._core.pool(caller, request)
        return self._respond(pool, _client(pool, request["ClientId"]), request)

    @operation("RevokeToken")
    def revoke_token(self, caller: Caller, request: Request) -> Answer:
        """Revoke a refresh token, and the access tokens of its sign-in."""
        del caller
        pool, client = self._core.directory.pool_of_client(request["ClientId"])
        if client.generate_secret and request.get("ClientSecret") != client.secret:
            raise ServiceError("UnauthorizedException", "Client secret does not match.")
        if client.extended_config.get("EnableTokenRevocation") is False:
            raise ServiceError(
                "UnsupportedOperationException", "Token revocation is not enabled for this client."
            )
        self._core.tokens.revoke(pool, client, request["Token"])
        return {}

    # -- flows --------------------------------------------------------------------------------

    def _initiate(self, pool: Pool, client: Client, flow: str, request: Request) -> Values:
        _check_flow(client, flow)
        parameters: Mapping[str, str] = request.get("AuthParameters") or {}
        metadata: Mapping[str, str] | None = request.get("ClientMetadata")
        if flow == "REFRESH_TOKEN_AUTH":
            return self._refresh(pool, client, parameters)
        name = _needed(parameters, "USERNAME")
        check_secret_hash(client, name, parameters.get("SECRET_HASH"))
        if flow == "CUSTOM_AUTH":
            return self._begin_custom(pool, client, name, parameters)
        if flow == "USER_SRP_AUTH":
            return self._begin_srp(pool, client, name, parameters, metadata)
        password = _needed(parameters, "PASSWORD")
        return self._by_password(pool, client, name, password, metadata)

    def _by_password(
        self,
        pool: Pool,
        client: Client,
        name: str,
        password: str,
        metadata: Mapping[str, str] | None,
    ) -> Values:
        user = find_user(pool, name)
        if user is None and self._core.triggers.has(pool, "UserMigration"):
            user = migrate(
                self._core, pool, client, name, password, "Authentication", metadata, None
            )
        self._before(pool, client, name, user, metadata)
        if user is None:
            raise not_authorized() if hides_missing_users(client) else user_not_found()
        self._failures.check(pool.id, user.id)
        if user.password is None or not user.password.accepts(pool.id, user.username, password):
            self._failures.failed(pool.id, user.id)
            raise not_authorized()
        self._failures.forget(pool.id, user.id)
        return self._after_password(pool, client, user, None)

    def _begin_srp(
        self,
        pool: Pool,
        client: Client,
        name: str,
        parameters: Mapping[str, str],
        metadata: Mapping[str, str] | None,
    ) -> Values:
        user = find_user(pool, name)
        self._before(pool, client, name, user, metadata)
        if user is None and not hides_missing_users(client):
            raise user_not_found()
        return self._ask_password(pool, client, name, user, parameters.get("SRP_A"), None)

    def _ask_password(
        self,
        pool: Pool,
        client: Client,
        name: str,
        user: User | None,
        srp_a: str | None,
        custom: tuple[Values, ...] | None,
    ) -> Values:
        """Challenge ``PASSWORD_VERIFIER``; of a custom sign-in with the challenges so far."""
        username = user.username if user else name
        verifier: Verifier | None = user.password if user else None
        if verifier is None:
            key = self._core.tokens.key(pool.id).id.encode()
            verifier = Verifier.simulated(key, username)
        exchange = Exchange.begin(pool.id, username, verifier, srp_a)
        shown = exchange.parameters()
        state = _State(
            *(pool.id, client.id, username, PASSWORD_VERIFIER),
            custom=custom is not None,
            session=custom or (),
            exchange=exchange,
        )
        # Clients name the exchange by its block, and send no session back for this challenge.
        self._core.sessions.put(state, _session_s(client), shown["SECRET_BLOCK"])
        return {
            "ChallengeName": PASSWORD_VERIFIER,
            "ChallengeParameters": {**shown, "USERNAME": username},
            **({"Session": shown["SECRET_BLOCK"]} if custom is not None else {}),
        }

    def _refresh(self, pool: Pool, client: Client, parameters: Mapping[str, str]) -> Values:
        token = _needed(parameters, "REFRESH_TOKEN")
        sign_in = self._core.tokens.refresh(pool, client, token)
        user = next((one for one in pool.users.values() if one.id == sign_in.user_id), None)
        if user is None:
            raise not_authorized("Invalid Refresh Token")
        # A client may take the user's name or its id.
        if client.generate_secret and parameters.get("SECRET_HASH") is not None:
            try:
                check_secret_hash(client, user.username, parameters["SECRET_HASH"])
            except ServiceError:
                check_secret_hash(client, user.id, parameters["SECRET_HASH"])
        else:
            check_secret_hash(client, user.username, parameters.get("SECRET_HASH"))
        if not user.enabled:
            raise not_authorized("User is disabled.")
        return self._issue(pool, client, user, sign_in, "RefreshTokens", None, refreshed=True)

    def _before(
        self,
        pool: Pool,
        client: Client,
        name: str,
        user: User | None,
        metadata: Mapping[str, str] | None,
    ) -> None:
        """Call the pre authentication trigger; refuse who is disabled."""
        hidden = hides_missing_users(client)
        if user is None and not hidden:
            return
        if user is not None and not user.enabled:
            raise not_authorized("User is disabled.")
        request: Values = {
            "userAttributes": event_attributes(user) if user else {},
            "validationData": dict(metadata or {}) or None,
        }
        if hidden:
            request["userNotFound"] = user is None
        subject = Subject(pool, user.username if user else name, client.id)
        self._core.triggers.call(subject, "PreAuthentication", "Authentication", request, {})

    def _after_password(
        self, pool: Pool, client: Client, user: User, metadata: Mapping[str, str] | None
    ) -> Values:
        """What the password, which is right, leads to."""
        status = status_of(user)
        if status == UNCONFIRMED:
            raise ServiceError("UserNotConfirmedException", "User is not confirmed.")
        if status == RESET_REQUIRED:
            raise ServiceError(
                "PasswordResetRequiredException", "Password reset required for the user"
            )
        if status == FORCE_CHANGE_PASSWORD:
            if self._core.now() >= getattr(user, "password_expires_at", float("inf")):
                raise not_authorized(
                    "Temporary password has expired and must be reset by an administrator."
                )
            return self._ask_new_password(pool, client, user)
        return self._complete(pool, client, user, "Authentication", metadata)

    def _ask_new_password(self, pool: Pool, client: Client, user: User) -> Values:
        state = _State(pool.id, client.id, user.username, NEW_PASSWORD_REQUIRED)
        shown = {k: v for k, v in user.attribute_lookup.items() if k != "sub"}
        missing = [
            f"userAttributes.{name}"
            for name, attribute in pool.schema_attributes.items()
            if attribute.required and name != "sub" and not user.attribute_lookup.get(name)
        ]
        return {
            "ChallengeName": NEW_PASSWORD_REQUIRED,
            "Session": self._core.sessions.put(state, _session_s(client)),
            "ChallengeParameters": {
                "USER_ID_FOR_SRP": user.username,
                "requiredAttributes": json.dumps(missing),
                "userAttributes": json.dumps(shown),
            },
        }

    def _complete(
        self,
        pool: Pool,
        client: Client,
        user: User,
        action: str,
        metadata: Mapping[str, str] | None,
    ) -> Values:
        """The user is who it says: post authentication trigger, and tokens."""
        request = {"userAttributes": event_attributes(user), "newDeviceUsed": False}
        subject = Subject(pool, user.username, client.id)
        self._core.triggers.call(
            *(subject, "PostAuthentication", "Authentication"),
            *(with_metadata(request, metadata), {}),
        )
        sign_in = SignIn(user.id, client.id, int(self._core.now()))
        return self._issue(pool, client, user, sign_in, action, metadata, refreshed=False)

    def _issue(
        self,
        pool: Pool,
        client: Client,
        user: User,
        sign_in: SignIn,
        action: str,
        metadata: Mapping[str, str] | None,
        *,
        refreshed: bool,
    ) -> Values:
        overrides = self._overrides(pool, client, user, action, metadata)
        result = self._core.tokens.issue(
            pool, client, user, sign_in, overrides, refreshed=refreshed
        )
        return {"ChallengeParameters": {}, "AuthenticationResult": result}

    def _overrides(
        self,
        pool: Pool,
        client: Client,
        user: User,
        action: str,
        metadata: Mapping[str, str] | None,
    ) -> Overrides:
        """Call the pre token generation trigger."""
        version = self._core.triggers.version(pool)
        request: Values = {
            "userAttributes": event_attributes(user),
            "groupConfiguration": groups_of(user),
        }
        if version != "1":
            request["scopes"] = [SCOPE]
        member = "claimsOverrideDetails" if version == "1" else "claimsAndScopeOverrideDetails"
        response = self._core.triggers.call(
            Subject(pool, user.username, client.id),
            "PreTokenGeneration",
            action,
            with_metadata(request, metadata),
            {member: None},
        )
        return Overrides() if response is None else overrides_of(response, version)

    # -- challenges ---------------------------------------------------------------------------

    def _respond(self, pool: Pool, client: Client, request: Request) -> Values:
        challenge = request["ChallengeName"]
        answers: Mapping[str, str] = request.get("ChallengeResponses") or {}
        metadata: Mapping[str, str] | None = request.get("ClientMetadata")
        if challenge not in (CUSTOM_CHALLENGE, PASSWORD_VERIFIER, NEW_PASSWORD_REQUIRED):
            raise unsupported(f"The challenge {challenge} is")
        session = request.get("Session")
        if challenge == PASSWORD_VERIFIER:
            session = _needed(answers, "PASSWORD_CLAIM_SECRET_BLOCK")
        elif not session:
            raise invalid_parameter("Missing required parameter Session")
        state: _State = self._core.sessions.take(session)
        if (state.pool_id, state.client_id, state.challenge) != (pool.id, client.id, challenge):
            raise not_authorized("Invalid session for the user.")
        name = _needed(answers, "USERNAME")
        user = pool.users.get(state.username)
        named = find_user(pool, name)
        if named is not user or (user is None and name != state.username):
            raise not_authorized("Invalid session for the user.")
        _check_answer_hash(client, name, state.username, answers)
        if user is not None and not user.enabled:
            raise not_authorized("User is disabled.")
        if challenge == PASSWORD_VERIFIER:
            return self._password_verified(pool, client, state, user, answers, metadata)
        if challenge == NEW_PASSWORD_REQUIRED:
            if user is None:
                raise not_authorized()
            return self._new_password(pool, client, state, session, user, answers, metadata)
        return self._custom_answer(pool, client, state, user, answers, metadata)

    def _password_verified(
        self,
        pool: Pool,
        client: Client,
        state: _State,
        user: User | None,
        answers: Mapping[str, str],
        metadata: Mapping[str, str] | None,
    ) -> Values:
        assert state.exchange is not None
        signature = _needed(answers, "PASSWORD_CLAIM_SIGNATURE")
        timestamp = _needed(answers, "TIMESTAMP")
        if user is not None:
            self._failures.check(pool.id, user.id)
        right = state.exchange.proves(signature, timestamp)
        if not right or user is None or user.password is None:
            if user is not None:
                self._failures.failed(pool.id, user.id)
            raise not_authorized()
        self._failures.forget(pool.id, user.id)
        if not state.custom:
            return self._after_password(pool, client, user, metadata)
        done = {"challengeName": PASSWORD_VERIFIER, "challengeResult": True}
        session = (*state.session, {**done, "challengeMetadata": None})
        return self._next(pool, client, user.username, user, session, None, metadata)

    def _new_password(
        self,
        pool: Pool,
        client: Client,
        state: _State,
        session: str,
        user: User,
        answers: Mapping[str, str],
        metadata: Mapping[str, str] | None,
    ) -> Values:
        try:
            password = _needed(answers, "NEW_PASSWORD")
            check_password(pool, password)
            prefix = "userAttributes."
            given = {k.removeprefix(prefix): v for k, v in answers.items() if k.startswith(prefix)}
            check_writable(client, given)
            known = {k: str(v) for k, v in user.attribute_lookup.items()}
            check_attributes(pool, {**known, **given}, complete=True)
        except ServiceError:
            self._core.sessions.put(state, _session_s(client), session)  # it may be tried again
            raise
        if status_of(user) != FORCE_CHANGE_PASSWORD:
            raise not_authorized("Invalid session for the user.")
        self._core.set_password(pool, user, password)
        set_attributes(user, given)
        user.status = CONFIRMED
        return self._complete(pool, client, user, "NewPasswordChallenge", metadata)

    # -- custom authentication ----------------------------------------------------------------

    def _begin_custom(
        self, pool: Pool, client: Client, name: str, parameters: Mapping[str, str]
    ) -> Values:
        """The triggers decide. AWS calls no pre authentication trigger in this flow."""
        if not self._core.triggers.has(pool, "DefineAuthChallenge"):
            raise invalid_parameter(_NOT_CONFIGURED)
        user = find_user(pool, name)
        if user is None and not hides_missing_users(client):
            raise user_not_found()
        if user is not None and not user.enabled:
            raise not_authorized("User is disabled.")
        if user is not None and status_of(user) == UNCONFIRMED:
            raise ServiceError("UserNotConfirmedException", "User is not confirmed.")
        session: tuple[Values, ...] = ()
        srp_a = None
        if parameters.get("CHALLENGE_NAME") == "SRP_A":
            srp_a = _needed(parameters, "SRP_A")
            first = {"challengeName": "SRP_A", "challengeResult": True}
            session = ({**first, "challengeMetadata": None},)
        username = user.username if user else name
        return self._next(pool, client, username, user, session, srp_a, None)

    def _next(
        self,
        pool: Pool,
        client: Client,
        username: str,
        user: User | None,
        session: tuple[Values, ...],
        srp_a: str | None,
        metadata: Mapping[str, str] | None,
    ) -> Values:
        """Ask the define auth challenge trigger what comes next, and do it.

        Raises:
            ServiceError: The sign-in has failed, or the trigger does not say what comes next.
        """
        request = self._custom_request(client, user, {"session": list(session)}, metadata)
        nothing = {"challengeName": None, "issueTokens": None, "failAuthentication": None}
        response = self._core.triggers.call(
            *(Subject(pool, username, client.id), "DefineAuthChallenge", "Authentication"),
            *(request, nothing),
        )
        if response is None:
            raise invalid_parameter(_NOT_CONFIGURED)
        if flag(response, "failAuthentication"):
            raise not_authorized()
        if flag(response, "issueTokens"):
            if user is None:
                raise not_authorized()
            return self._complete(pool, client, user, "Authentication", metadata)
        challenge = text(response, "challengeName")
        if challenge == PASSWORD_VERIFIER and srp_a:
            return self._ask_password(pool, client, username, user, srp_a, session)
        if challenge == CUSTOM_CHALLENGE:
            return self._ask_custom(pool, client, username, user, session, metadata)
        raise invalid_lambda_response(
            "DefineAuthChallenge must issue tokens, fail the authentication, or name the challenge"
            f" CUSTOM_CHALLENGE (or PASSWORD_VERIFIER after SRP_A), not {challenge}"
        )

    def _ask_custom(
        self,
        pool: Pool,
        client: Client,
        username: str,
        user: User | None,
        session: tuple[Values, ...],
        metadata: Mapping[str, str] | None,
    ) -> Values:
        values = {"challengeName": CUSTOM_CHALLENGE, "session": list(session)}
        nothing = {
            "publicChallengeParameters": None,
            "privateChallengeParameters": None,
            "challengeMetadata": None,
        }
        response = self._core.triggers.call(
            *(Subject(pool, username, client.id), "CreateAuthChallenge", "Authentication"),
            *(self._custom_request(client, user, values, metadata), nothing),
        )
        if response is None:
            raise invalid_parameter(_NOT_CONFIGURED)
        state = _State(
            *(pool.id, client.id, username, CUSTOM_CHALLENGE),
            custom=True,
            session=session,
            private=texts(response, "privateChallengeParameters"),
            metadata=text(response, "challengeMetadata"),
        )
        return {
            "ChallengeName": CUSTOM_CHALLENGE,
            "Session": self._core.sessions.put(state, _session_s(client)),
            "ChallengeParameters": {
                **texts(response, "publicChallengeParameters"),
                "USERNAME": username,
            },
        }

    def _custom_answer(
        self,
        pool: Pool,
        client: Client,
        state: _State,
        user: User | None,
        answers: Mapping[str, str],
        metadata: Mapping[str, str] | None,
    ) -> Values:
        values = {
            "privateChallengeParameters": dict(state.private),
            "challengeAnswer": _needed(answers, "ANSWER"),
        }
        response = self._core.triggers.call(
            Subject(pool, state.username, client.id),
            *("VerifyAuthChallengeResponse", "Authentication"),
            *(self._custom_request(client, user, values, metadata), {"answerCorrect": None}),
        )
        if response is None:
            raise invalid_parameter(_NOT_CONFIGURED)
        done = {
            "challengeName": CUSTOM_CHALLENGE,
            "challengeResult": flag(response, "answerCorrect"),
            "challengeMetadata": state.metadata,
        }
        session = (*state.session, done)
        return self._next(pool, client, state.username, user, session, None, metadata)

    def _custom_request(
        self,
        client: Client,
        user: User | None,
        values: Values,
        metadata: Mapping[str, str] | None,
    ) -> Values:
        request = {"userAttributes": event_attributes(user) if user else {}, **values}
        if hides_missing_users(client):
            request["userNotFound"] = user is None
        return with_metadata(request, metadata)


class Failures:
    """Wrong passwords: after five, each locks the user for twice as long, 15 minutes at most.

    AWS topic: Amazon Cognito Developer Guide, "Lockout behavior for failed sign-in attempts".

    Args:
        now: The time by which a lock ends, in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[int, float]] = {}

    def check(self, pool_id: str, user_id: str) -> None:
        """Refuse a user that is locked.

        Raises:
            ServiceError: It is.
        """
        _, until = self._known.get((pool_id, user_id), (0, 0.0))
        if self._now() < until:
            raise not_authorized("Password attempts exceeded")

    def failed(self, pool_id: str, user_id: str) -> None:
        """A password was wrong."""
        with self._lock:
            count, _ = self._known.get((pool_id, user_id), (0, 0.0))
            count += 1
            extra = count - _FREE_FAILURES
            lock_s = min(2.0 ** min(extra, 20), _LONGEST_LOCK_S) if extra >= 0 else 0.0
            self._known[pool_id, user_id] = (count, self._now() + lock_s)

    def forget(self, pool_id: str, user_id: str) -> None:
        """A password was right."""
        with self._lock:
            self._known.pop((pool_id, user_id), None)


def _flow(name: str) -> str:
    flow = _OTHER_NAMES.get(name, name)
    if flow == "USER_AUTH":
        raise unsupported("The flow USER_AUTH is")
    if flow not in _FLOWS:
        raise invalid_parameter("Initiate Auth method not supported.")
    return flow


def _check_flow(client: Client, flow: str) -> None:
    allowed = client.extended_config.get("ExplicitAuthFlows") or _DEFAULT_FLOWS
    if not set(_FLOWS[flow]) & set(allowed):
        # The older names leave refreshing, and SRP, to everybody.
        old = not any(str(one).startswith("ALLOW_") for one in allowed)
        if old and flow in ("REFRESH_TOKEN_AUTH", "USER_SRP_AUTH"):
            return
        raise invalid_parameter(_NOT_ENABLED.get(flow, f"{flow} is not enabled for the client."))


def _client(pool: Pool, client_id: str) -> Client:
    client: Client | None = pool.clients.get(client_id)
    if client is None:
        raise not_found(f"User pool client {client_id} does not exist.")
    return client


def _needed(parameters: Mapping[str, str], name: str) -> str:
    value = parameters.get(name)
    if not value:
        raise invalid_parameter(f"Missing required parameter {name}")
    return value


def _check_answer_hash(
    client: Client, name: str, username: str, answers: Mapping[str, str]
) -> None:
    """A client with a secret may take the name that was given, or the user's own."""
    given = answers.get("SECRET_HASH")
    try:
        check_secret_hash(client, name, given)
    except ServiceError:
        check_secret_hash(client, username, given)


def _session_s(client: Client) -> float:
    return float(client.extended_config.get("AuthSessionValidity") or 3) * 60

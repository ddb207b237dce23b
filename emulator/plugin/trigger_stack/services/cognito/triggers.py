"""Calls the functions of a pool's Lambda triggers.

A function has 5 seconds. What another call may mend (no answer in that time, throttled, not there
at the moment) is tried three times; an error of the function is not.

AWS topics: Amazon Cognito Developer Guide, "Customizing user pool workflows with Lambda triggers"
and the topic of each trigger; re:Post, "Common Amazon Cognito Lambda trigger errors".
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from trigger_stack.services.cognito.directory import Pool
from trigger_stack.services.cognito.errors import invalid_lambda_response
from trigger_stack.services.errors import ServiceError

LOG = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
ATTEMPTS: Final = 3
TIMED_OUT: Final = "Socket timeout while invoking Lambda function"
NO_CLIENT: Final = "CLIENT_ID_NOT_APPLICABLE"
#: The triggers that run here, by their names in ``LambdaConfig``.
NAMES: Final = (
    "PreSignUp",
    "PostConfirmation",
    "PreAuthentication",
    "PostAuthentication",
    "PreTokenGeneration",
    "CustomMessage",
    "DefineAuthChallenge",
    "CreateAuthChallenge",
    "VerifyAuthChallengeResponse",
    "UserMigration",
)
VERSIONS: Final = {"V1_0": "1", "V2_0": "2", "V3_0": "3"}
#: What a request or a response may hold that nobody else should read.
_SECRETS: Final = frozenset(
    {"challengeAnswer", "challengeMetadata", "password", "privateChallengeParameters"}
)
_HIDDEN: Final = "***"

type Values = dict[str, Any]


class InvocationError(Exception):
    """A function was not invoked, or gave no answer in time.

    Args:
        reason: As AWS names it, for example ``AccessDeniedException``.
        may_help: Whether another call may succeed.
    """

    def __init__(self, reason: str, *, may_help: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_help = may_help


@dataclass(frozen=True, slots=True)
class Reply:
    """What a function answered.

    Attributes:
        is_error: Whether it failed.
        payload: Its result, or ``{errorMessage, …}``, as bytes of JSON.
    """

    is_error: bool
    payload: bytes


class Functions(Protocol):
    """Invokes functions."""

    def invoke(
        self, function_arn: str, event: bytes, recorded: bytes, pool_arn: str, timeout_s: float
    ) -> Reply:
        """Invoke a function for a pool, and wait.

        Args:
            function_arn: ARN, with a version or alias or without.
            event: The event as JSON.
            recorded: The event as the journal may have it.
            pool_arn: ARN that the function's policy must allow.
            timeout_s: Seconds after which nobody waits any longer.

        Raises:
            InvocationError: It was not invoked, or did not answer in time.
        """


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a trigger is about.

    Attributes:
        pool: The pool.
        username: ``userName`` of the event.
        client_id: Id of the client, or ``CLIENT_ID_NOT_APPLICABLE``.
    """

    pool: Pool
    username: str
    client_id: str = NO_CLIENT


class Triggers:
    """The triggers of every pool.

    Args:
        functions: Invokes functions.
    """

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def has(self, pool: Pool, trigger: str) -> bool:
        """Whether a pool has a trigger."""
        return _target(pool, trigger)[0] is not None

    def call(
        self, subject: Subject, trigger: str, action: str, request: Values, response: Values
    ) -> Values | None:
        """Call a trigger's function.

        Args:
            subject: Whom it is about.
            trigger: Its name in ``LambdaConfig``.
            action: The second part of ``triggerSource``: ``SignUp``.
            request: ``request`` of the event.
            response: ``response`` of the event, with every member that the function may set.

        Returns:
            The ``response`` that the function returned; None when the pool has no such trigger.

        Raises:
            ServiceError: The function could not be invoked, failed, or returned no response.
        """
        arn, version = _target(subject.pool, trigger)
        if arn is None:
            return None
        source = "TokenGeneration" if trigger == "PreTokenGeneration" else trigger
        event = {
            "version": version,
            "region": subject.pool.region,
            "userPoolId": subject.pool.id,
            "userName": subject.username,
            "callerContext": {
                "awsSdkVersion": "aws-sdk-unknown-unknown",
                "clientId": subject.client_id,
            },
            "triggerSource": f"{source}_{action}",
            "request": request,
            "response": response,
        }
        reply = self._invoke(arn, event, subject.pool, trigger)
        if reply.is_error:
            message = f"{trigger} failed with error {_error_message(reply.payload)}."
            raise ServiceError("UserLambdaValidationException", message)
        return _response(reply.payload)

    def version(self, pool: Pool) -> str:
        """The version of the pre token generation event: ``1``, ``2`` or ``3``."""
        return _target(pool, "PreTokenGeneration")[1]

    def _invoke(self, arn: str, event: Values, pool: Pool, trigger: str) -> Reply:
        payload = json.dumps(event).encode()
        recorded = json.dumps(without_secrets(event)).encode()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._functions.invoke(arn, payload, recorded, pool.arn, TIMEOUT_S)
            except InvocationError as error:
                LOG.warning(
                    "user pool %s, trigger %s, try %d of %d: %s: %s",
                    *(pool.id, trigger, attempt, ATTEMPTS, arn, error.reason),
                )
                if not error.may_help or attempt == ATTEMPTS:
                    message = f"{trigger} invocation failed due to error {error.reason}."
                    raise ServiceError("UnexpectedLambdaException", message) from None
        raise AssertionError("not reached")


def _target(pool: Pool, trigger: str) -> tuple[str | None, str]:
    """ARN of a trigger's function, and version of its event."""
    config: Mapping[str, Any] = pool.extended_config.get("LambdaConfig") or {}
    if trigger == "PreTokenGeneration" and (own := config.get("PreTokenGenerationConfig")):
        return own.get("LambdaArn"), VERSIONS.get(str(own.get("LambdaVersion")), "1")
    return config.get(trigger) or None, "1"


def _error_message(payload: bytes) -> str:
    try:
        return str(json.loads(payload)["errorMessage"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "Unknown error"


def _response(payload: bytes) -> Values:
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        raise invalid_lambda_response("Invalid lambda function output : Invalid JSON") from None
    response = answer.get("response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        raise invalid_lambda_response()
    return response


def without_secrets(event: Values) -> Values:
    """The event as the journal may have it: no password, no code, no answer."""
    shown = copy.deepcopy(event)
    for part in ("request", "response"):
        _hide(shown[part])
    return shown


def _hide(values: Values) -> None:
    for name, value in values.items():
        if name in _SECRETS and value is not None:
            values[name] = dict.fromkeys(value, _HIDDEN) if isinstance(value, dict) else _HIDDEN
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    _hide(item)


# -- reading responses ------------------------------------------------------------------------


def flag(response: Values, name: str) -> bool:
    """A boolean of a response; false when it is null or missing.

    Raises:
        ServiceError: It is something else.
    """
    value = response.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise invalid_lambda_response()


def text(response: Values, name: str) -> str | None:
    """A text of a response, or None.

    Raises:
        ServiceError: It is something else.
    """
    value = response.get(name)
    if value is None or isinstance(value, str):
        return value
    raise invalid_lambda_response()


def texts(response: Values, name: str) -> dict[str, str]:
    """A mapping of texts of a response; empty when it is null or missing.

    Raises:
        ServiceError: It is something else.
    """
    value = response.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise invalid_lambda_response()
    return dict(value)


def names(response: Values, name: str) -> list[str]:
    """A list of texts of a response; empty when it is null or missing.

    Raises:
        ServiceError: It is something else.
    """
    value = response.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise invalid_lambda_response()
    return list(value)


def part(response: Values, name: str) -> Values:
    """A mapping of a response; empty when it is null or missing.

    Raises:
        ServiceError: It is something else.
    """
    value = response.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid_lambda_response()
    return value


def with_metadata(request: Values, metadata: Mapping[str, str] | None) -> Values:
    """The request with the caller's ``clientMetadata``, if there is any."""
    return {**request, "clientMetadata": dict(metadata)} if metadata else request

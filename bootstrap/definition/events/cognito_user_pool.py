"""``cognitoUserPool``: a Lambda trigger of a user pool (Serverless guide, "Cognito User Pool").

A pool that is not ``existing`` is made, with the triggers of every function that names it; a
resource of the file with the same logical id adds to it. The triggers of an existing pool are set
without changing anything else of it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, override

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import (
    EventType,
    Example,
    Trigger,
    invoke_permission,
)
from bootstrap.definition.parsing import Model
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

USER_POOL = "AWS::Cognito::UserPool"
EXISTING = "Custom::CognitoUserPool"
_NAME = re.compile(r"[\w\s+=,.@-]{1,128}", re.ASCII)
_SENDERS = ("CustomSMSSender", "CustomEmailSender")
_TRIGGERS = Literal[
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
    "CustomSMSSender",
    "CustomEmailSender",
]


class CognitoUserPoolEvent(Model):
    """``cognitoUserPool`` under ``events``: a pool by its name, and a trigger."""

    pool: str
    trigger: _TRIGGERS
    existing: bool = False
    forceDeploy: bool | None = None
    kmsKeyId: str | dict[str, Any] | None = None
    lambdaVersion: Literal["V1_0", "V2_0", "V3_0"] | None = None


class CognitoUserPool(EventType[CognitoUserPoolEvent]):
    """A user pool calls the function and waits for its answer, 5 seconds at most."""

    key = "cognitoUserPool"
    model = CognitoUserPoolEvent
    failures = ()  # whoever signs up or in gets the error

    def long_form(self, body: Any) -> Any:
        """There is no short form."""
        return body

    @override
    def check(
        self, trigger: Trigger[CognitoUserPoolEvent], service: Service, document: Document
    ) -> None:
        event, where = trigger.event, f"functions.{trigger.key}: "
        if not _NAME.fullmatch(event.pool):
            document.fail(
                f"{where}“{event.pool}” is no name of a user pool: letters, digits, spaces and"
                " _+=,.@- are allowed, 128 at most.",
                *(*trigger.path, "pool"),
            )
        if event.trigger in _SENDERS or event.kmsKeyId is not None:
            document.fail(
                f"{where}the triggers {' and '.join(_SENDERS)} (with kmsKeyId) are not part of this"
                " stack: codes go by mail, which GET /_aws/ses shows. CustomMessage changes their"
                " words.",
                *(*trigger.path, "trigger" if event.trigger in _SENDERS else "kmsKeyId"),
            )
        if event.lambdaVersion and event.trigger != "PreTokenGeneration":
            document.fail(
                f"{where}lambdaVersion is for the trigger PreTokenGeneration only.",
                *(*trigger.path, "lambdaVersion"),
            )
        self._check_others(trigger, service, document)

    def _check_others(
        self, trigger: Trigger[CognitoUserPoolEvent], service: Service, document: Document
    ) -> None:
        event = trigger.event
        for other in service.triggers:
            if other.type is not self or other.path == trigger.path:
                continue
            same = (other.event.pool, other.event.trigger) == (event.pool, event.trigger)
            if same and service.triggers.index(other) < service.triggers.index(trigger):
                document.fail(
                    f"functions.{trigger.key}: the pool “{event.pool}” has a function for"
                    f" {event.trigger} already: {other.key}. A trigger has one function.",
                    *trigger.path,
                )
            if other.key == trigger.key and event.existing and other.event.existing:
                self._check_one_pool(trigger, other, document)

    def _check_one_pool(
        self,
        trigger: Trigger[CognitoUserPoolEvent],
        other: Trigger[CognitoUserPoolEvent],
        document: Document,
    ) -> None:
        if other.event.pool != trigger.event.pool:
            document.fail(
                f"functions.{trigger.key}: a function may have triggers of one existing pool only,"
                f" not of “{other.event.pool}” and “{trigger.event.pool}”.",
                *(*trigger.path, "pool"),
            )

    def permissions(
        self, triggers: Sequence[Trigger[CognitoUserPoolEvent]], service: Service
    ) -> Iterator[Resource]:
        """One for each trigger of a pool that is made here."""
        for trigger in triggers:
            event = trigger.event
            if event.existing:
                continue  # the resource of its triggers gives it
            yield invoke_permission(
                f"{naming.normalized(trigger.key)}LambdaPermissionCognitoUserPool"
                f"{naming.alphanumeric(event.pool)}TriggerSource{event.trigger}",
                trigger,
                "cognito-idp.amazonaws.com",
                {"Fn::GetAtt": [naming.user_pool_id(event.pool), "Arn"]},
            )

    def role_statements(
        self, triggers: Sequence[Trigger[CognitoUserPoolEvent]]
    ) -> Iterator[dict[str, Any]]:
        """None: the pool calls the function, by its permission."""
        yield from ()

    def resources(
        self,
        triggers: Sequence[Trigger[CognitoUserPoolEvent]],
        service: Service,
        document: Document,
    ) -> Iterator[Resource]:
        """Each pool with its triggers, and the triggers of existing pools."""
        new = [trigger for trigger in triggers if not trigger.event.existing]
        for pool in dict.fromkeys(trigger.event.pool for trigger in new):
            own = [trigger for trigger in new if trigger.event.pool == pool]
            config: dict[str, Any] = {}
            for trigger in own:
                config |= _lambda_config(trigger)
            functions = tuple(dict.fromkeys(naming.function_id(one.key) for one in own))
            yield Resource(
                naming.user_pool_id(pool),
                USER_POOL,
                {"UserPoolName": pool, "LambdaConfig": config},
                own[0].path,
                functions,
            )
        yield from _existing(triggers, service)

    @override
    def example(
        self, trigger: Trigger[CognitoUserPoolEvent], service: Service, settings: Settings
    ) -> Example:
        event = trigger.event
        command = f"make fire-user-pool POOL={shlex.quote(event.pool)} TRIGGER={event.trigger}"
        return Example(f"Cognito {event.pool}: {event.trigger}", command)


def _lambda_config(trigger: Trigger[CognitoUserPoolEvent]) -> dict[str, Any]:
    event = trigger.event
    if event.lambdaVersion:
        return {
            "PreTokenGenerationConfig": {
                "LambdaArn": trigger.function_arn,
                "LambdaVersion": event.lambdaVersion,
            }
        }
    return {event.trigger: trigger.function_arn}


def _existing(
    triggers: Sequence[Trigger[CognitoUserPoolEvent]], service: Service
) -> Iterator[Resource]:
    """The triggers of existing pools, one resource for each function.

    One after the other: each reads the pool's settings and writes them back.
    """
    before: str | None = None
    pools = _pools_of_the_file(service)
    for key in dict.fromkeys(one.key for one in triggers if one.event.existing):
        own = [one for one in triggers if one.key == key and one.event.existing]
        logical_id = f"{naming.normalized(key)}CustomCognitoUserPool1"
        pool = own[0].event.pool
        yield Resource(
            logical_id,
            EXISTING,
            {
                "FunctionName": own[0].function,
                "UserPoolName": pool,
                "UserPoolConfigs": [
                    {
                        "Trigger": one.event.trigger,
                        **(
                            {"LambdaVersion": one.event.lambdaVersion}
                            if one.event.lambdaVersion
                            else {}
                        ),
                    }
                    for one in own
                ],
            },
            own[0].path,
            tuple(name for name in (naming.function_id(key), pools.get(pool), before) if name),
        )
        before = logical_id


def _pools_of_the_file(service: Service) -> dict[str, str]:
    """The logical ids of the pools that the file describes, by their names."""
    found = {}
    for logical_id, body in service.resources.Resources.items():
        properties = body.get("Properties")
        if body.get("Type") == USER_POOL and isinstance(properties, dict):
            found[str(properties.get("UserPoolName"))] = logical_id
    return found

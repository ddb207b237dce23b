"""Triggers of user pools (Amazon Cognito, "Customizing … workflows with Lambda triggers")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import PERMISSION, View, own_name, within
from bootstrap.template import Resource

_POOL = "AWS::Cognito::UserPool"
_EXISTING = "Custom::CognitoUserPool"
_PRINCIPAL = "cognito-idp.amazonaws.com"
_WAITS_S = 5
_CUSTOM = ("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse")


def _config(pool: Resource) -> dict[str, Any]:
    config = pool.properties.get("LambdaConfig")
    return config if isinstance(config, dict) else {}


def _triggers(view: View) -> Iterator[tuple[Resource, str, Resource]]:
    """Each pool of the file with a trigger and the function, when that is the service's own."""
    for pool in view.of(_POOL):
        for name, value in _config(pool).items():
            arn = within(value, "LambdaArn") if name == "PreTokenGenerationConfig" else value
            function = view.function(arn)
            if function is not None:
                yield pool, name, function


def _called(view: View) -> Iterator[Resource]:
    """Every function that a pool calls, also an existing one."""
    for _, _, function in _triggers(view):
        yield function
    for triggers in view.of(_EXISTING):
        found = view.function(triggers.properties["FunctionName"])
        if found is not None:
            yield found


@rule("TS651", Severity.WARNING, mend="Set a timeout of 5 seconds or less.")
def longer_than_cognito_waits(view: View) -> Iterator[Hit]:
    """Cognito gives up after 5 seconds and calls again, while the function still is at work."""
    for function in {one.logical_id: one for one in _called(view)}.values():
        if view.timeout(function) > _WAITS_S:
            yield Hit(
                f"{own_name(function)} may take {view.timeout(function)} s; Cognito waits"
                f" {_WAITS_S} s, up to three times.",
                view.at(function, "Timeout"),
            )


@rule(
    "TS652",
    Severity.ERROR,
    mend="Add an AWS::Lambda::Permission with cognito-idp.amazonaws.com as its Principal.",
)
def function_refuses_the_pool(view: View) -> Iterator[Hit]:
    """The function refuses the pool, and whoever signs up or in gets an error."""
    for pool, name, function in _triggers(view):
        allowed = any(
            view.function(permission.properties["FunctionName"]) is function
            and permission.properties["Principal"] in (_PRINCIPAL, "*")
            for permission in view.of(PERMISSION)
        )
        if not allowed:
            what = f"{_PRINCIPAL} may not invoke {own_name(function)} for {name}."
            yield Hit(what, view.at(pool, "LambdaConfig", name))


@rule("TS653", Severity.ERROR, mend="Give the pool all three, or none of them.")
def half_of_custom_authentication(view: View) -> Iterator[Hit]:
    """Custom authentication needs three triggers: without one of them nobody signs in by it."""
    for pool in view.of(_POOL):
        config = _config(pool)
        missing = [name for name in _CUSTOM if name not in config]
        if missing and len(missing) < len(_CUSTOM):
            there = next(name for name in _CUSTOM if name in config)
            what = f"{pool.logical_id} has {there} without {' and '.join(missing)}."
            yield Hit(what, view.at(pool, "LambdaConfig", there))

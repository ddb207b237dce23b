"""Names and values that do not belong where they stand.

AWS Lambda, "Defined runtime environment variables"; AWS IAM, "Best practices for access keys".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import View, within
from bootstrap.definition.document import KeyPath
from bootstrap.template import Resource

#: Lambda sets these itself and refuses a function that sets them.
RESERVED = frozenset(
    (
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    )
)
#: Versions of a layer share a name; a log group has its function's, which says enough.
_MANY = ("AWS::Lambda::LayerVersion", "AWS::Logs::LogGroup")
_SECRET_VALUE = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----")
_SECRET_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|SECRET|SECRET_KEY|PRIVATE_KEY|API_KEY|ACCESS_KEY|AUTH_TOKEN)$",
    re.IGNORECASE,
)


_CREDENTIALS = (
    ("ApiKeyAuthParameters", "ApiKeyValue"),
    ("BasicAuthParameters", "Password"),
    ("OAuthParameters", "ClientParameters", "ClientSecret"),
)


def _variables(view: View) -> Iterator[tuple[Resource, str, object, KeyPath]]:
    """Every environment variable of every function; one of the provider's, once."""
    seen = set()
    for function in view.functions:
        variables = within(function.properties, "Environment", "Variables")
        for name, value in (variables or {}).items():
            path: KeyPath = (*function.path, "environment", name)
            if path not in view.document.lines:
                path = ("provider", "environment", name)
            if path not in seen:
                seen.add(path)
                yield function, name, value, path


@rule("TS901", Severity.WARNING, mend="Keep it in Secrets Manager, and read it in the function.")
def secret(view: View) -> Iterator[Hit]:
    """Whoever may see the function, or this file, can take the secret and the events with it."""
    for _, name, value, path in _variables(view):
        if not isinstance(value, str) or not value:
            continue
        if _SECRET_VALUE.search(value):
            yield Hit(f"The value of {name} is a key.", path)
        elif _SECRET_NAME.search(name) and not value.startswith(("arn:", "${")):
            where = "in its environment" if _is_variable(view, path) else "written here"
            yield Hit(f"{name} is {where} as text.", path)
    for connection in view.of("AWS::Events::Connection"):
        parameters = connection.properties["AuthParameters"]
        for keys in _CREDENTIALS:
            at = view.at(connection, "AuthParameters", *keys)
            if isinstance(within(parameters, *keys), str) and not _is_variable(view, at):
                yield Hit(f"{keys[-1]} is written here as text.", at)


def _is_variable(view: View, path: KeyPath) -> bool:
    """Whether a value is a variable of the file: what it stands for is written elsewhere."""
    number = view.document.lines.get(view.document.nearest(path), 0)
    lines = view.document.text.splitlines()
    return 0 < number <= len(lines) and "${" in lines[number - 1]


@rule("TS902", Severity.ERROR, mend="Give it another name.")
def reserved_variable(view: View) -> Iterator[Hit]:
    """Lambda refuses a function that sets a variable which Lambda itself sets."""
    for _, name, _, path in _variables(view):
        if name in RESERVED:
            yield Hit(f"{name} is Lambda's own.", path)


@rule("TS903", Severity.ERROR, mend="Give one of them another name.")
def duplicate_name(view: View) -> Iterator[Hit]:
    """Two resources cannot share a name: the second takes over the first, or is refused."""
    first: dict[tuple[str, str], Resource] = {}
    for resource in view.resources.values():
        name = view.name(resource)
        if name is None or resource.type in _MANY:
            continue
        bus = view.bus(resource.properties.get("EventBusName"))
        before = first.setdefault((resource.type, f"{bus} {name}"), resource)
        if before is not resource:
            line = view.document.line(before.path)
            yield Hit(
                f"{resource.logical_id} has the name “{name}”, as {before.logical_id} on line "
                f"{line} has.",
                view.at(resource, *_name_key(resource)),
            )


def _name_key(resource: Resource) -> tuple[str, ...]:
    if resource.path[:1] == ("functions",):
        return ("name",)
    return tuple(key for key in resource.properties if key.endswith("Name"))[:1]

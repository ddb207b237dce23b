"""Every event type has all its parts, and nobody but the registry knows which types there are."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import FUNCTION, Project, events_of

import bootstrap
from bootstrap.checks import check
from bootstrap.definition import events, model
from bootstrap.definition.events import EVENT_TYPES, failure_paths
from bootstrap.definition.events.base import EventType
from bootstrap.definition.events.failures import FailurePath
from bootstrap.definition.events.pipe_failures import PIPE_SOURCE
from bootstrap.definition.model import Provider, parse_service
from bootstrap.definition.parsing import Model
from bootstrap.errors import DefinitionError
from bootstrap.settings import Settings

SETTINGS = Settings(4566, 8080, "us-east-1")
PACKAGE = Path(bootstrap.__file__).parent
#: One event of each type, as short as the type allows. A new type needs one here.
SHORTEST = {
    "alb": (
        "{listenerArn: 'arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/a/b/c',"
        " priority: 1, conditions: {path: /}}"
    ),
    "cloudFront": "{eventType: viewer-request, origin: 's3://papers.s3.amazonaws.com'}",
    "cloudwatchEvent": "{event: {source: [aws.ec2]}}",
    "cloudwatchLog": "/aws/lambda/orders",
    "cognitoUserPool": "{pool: people, trigger: PreSignUp}",
    "eventBridge": "{schedule: rate(1 hour)}",
    "http": "GET /",
    "httpApi": "GET /orders/{id}",
    "s3": "papers",
    "schedule": "rate(1 hour)",
    "sns": "orders",
    "sqs": "arn:aws:sqs:us-east-1:000000000000:orders",
    "stream": "arn:aws:kinesis:us-east-1:000000000000:stream/orders",
    "url": "true",
}
#: What a module of a type is for; each public class method stands for one part.
PARTS = [name for name in vars(EventType) if inspect.isfunction(vars(EventType)[name])]
#: Where AWS's own names are meant: its services, and the destinations of invocations.
NOT_ABOUT_TRIGGERS = (
    "init/",  # writes definitions, which name types
    "services/",
    "definition/events/",
    "definition/destinations.py",
    "definition/constructs.py",  # writes definitions, too
)


def written(key: str, body: str) -> str:
    """An event of a function, where its type stands."""
    if EVENT_TYPES[key].beside_events:
        return f"    {key}: {body}\n"
    return events_of(f"- {key}: {body}")


every_type = pytest.mark.parametrize("key", EVENT_TYPES)


def test_each_module_of_the_package_is_registered_once() -> None:
    shared = {"__init__", "base", "failures", "http_resources", "pipe_failures"}
    modules = {file.stem for file in Path(events.__file__).parent.glob("*.py")} - shared

    registered = [type(one).__module__.rsplit(".", 1)[-1] for one in EVENT_TYPES.values()]

    assert sorted(registered) == sorted(modules)


@every_type
def test_a_type_has_all_parts(key: str) -> None:
    event_type = EVENT_TYPES[key]

    assert event_type.key == key
    assert issubclass(event_type.model, Model)
    assert event_type.model.model_config["extra"] == "forbid"
    assert all(isinstance(path, FailurePath) for path in event_type.failures)
    assert type(event_type).__doc__
    for part in PARTS:
        if getattr(vars(EventType)[part], "__isabstractmethod__", False):
            assert part in vars(type(event_type)), f"{key} has no {part}"


@every_type
def test_the_provider_takes_the_settings_of_a_type(key: str) -> None:
    assert EVENT_TYPES[key].provider_settings.keys() <= Provider.model_fields.keys()


@every_type
def test_the_parts_of_a_type_work_together(key: str, project: Project) -> None:
    template = project.compile(FUNCTION + written(key, SHORTEST[key]))
    (trigger,) = parse_service(template.document).triggers
    event_type = EVENT_TYPES[key]

    assert trigger.type is event_type
    assert isinstance(trigger.event, event_type.model)
    beside = ("functions", "greet", key)
    among = ("functions", "greet", "events", 0, key)
    assert trigger.path == (beside if event_type.beside_events else among)
    service = parse_service(template.document)
    made = [
        *event_type.permissions([trigger], service),
        *event_type.resources([trigger], service, template.document),
    ]
    statements = list(event_type.role_statements([trigger]))
    assert {resource.logical_id for resource in made} <= template.resources.keys()
    # AWS must be let through: by a permission of the function, or by its execution role.
    allowed = any(resource.type == "AWS::Lambda::Permission" for resource in made)
    assert allowed or statements
    assert all(statement["Effect"] == "Allow" for statement in statements)
    check(template)
    example = event_type.example(trigger, service, SETTINGS)
    assert example.trigger
    assert example.command


@every_type
def test_the_line_of_a_wrong_event(key: str, project: Project) -> None:
    error = project.refused(FUNCTION + written(key, "[1]"))

    beside = EVENT_TYPES[key].beside_events
    assert error.line == (9 if beside else 10)
    assert error.message.startswith(f"functions.greet.{'' if beside else 'events.0.'}{key}")


def test_each_way_to_fail_is_asked_once() -> None:
    paths = failure_paths()

    assert len(paths) == len(set(paths))
    of_types = {path for one in EVENT_TYPES.values() for path in one.failures}
    assert set(paths) == of_types | {PIPE_SOURCE}


class Address(Model):
    cors: bool = False


class OfOneAddress(type(EVENT_TYPES["sqs"])):  # type: ignore[misc]  # any type with all parts
    """A later type that is no event of a list: ``address: true``."""

    key = "address"
    beside_events = True
    model = Address

    def long_form(self, body: Any) -> Any:
        return {} if body is True else body


@pytest.fixture
def with_address(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The model of the file as it is with one more type in the registry."""
    monkeypatch.setitem(EVENT_TYPES, "address", OfOneAddress())
    saved = dict(vars(model))
    yield importlib.reload(model)
    vars(model).update(saved)


def test_a_type_can_be_a_key_of_the_function(with_address: Any, project: Project) -> None:
    service = with_address.parse_service(
        project.document(FUNCTION + "    address: true\n    events: [{s3: papers}]\n")
    )

    assert [(one.type.key, one.path) for one in service.triggers] == [
        ("s3", ("functions", "greet", "events", 0, "s3")),
        ("address", ("functions", "greet", "address")),
    ]


@pytest.mark.parametrize(
    ("addition", "said"),
    [
        ("    address: {port: 1}\n", "functions.greet.address.port: is not supported here. "
                                     "Supported: cors."),
        ("    events: [{address: true}]\n", "the event type “address” is not supported here. "
                                            "Supported: alb, cloudFront, cloudwatchEvent, "
                                            "cloudwatchLog, cognitoUserPool, eventBridge, "
                                            "http, httpApi, s3, schedule, sns, sqs, stream."),
    ],
)  # fmt: skip
def test_a_key_of_the_function_is_checked(
    with_address: Any, project: Project, addition: str, said: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        with_address.parse_service(project.document(FUNCTION + addition))

    assert said in caught.value.message
    assert caught.value.line == 9


# --- Who else names a type


def outside() -> list[str]:
    names = [file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py")]
    return sorted(name for name in names if not name.startswith(NOT_ABOUT_TRIGGERS))


def named(tree: ast.AST) -> Iterator[str]:
    """The parts of one event type: its key as text, its settings, its module.

    The argument of ``settings.client("sqs")`` is a service of AWS, which may be called alike.
    """
    package = events.__name__
    modules = {type(one).__module__ for one in EVENT_TYPES.values()}
    clients = {
        argument
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "client"
        for argument in node.args
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if text in EVENT_TYPES and node not in clients:
                yield f"line {node.lineno}: “{text}”"
            case ast.Attribute(value=ast.Attribute(attr="provider"), attr=key) if (
                key in EVENT_TYPES
            ):
                yield f"line {node.lineno}: provider.{key}"
            case ast.ImportFrom(module=str(module), names=names):
                for name in {module, *(f"{module}.{alias.name}" for alias in names)} & modules:
                    yield f"line {node.lineno}: {name}"
            case ast.Import(names=names):
                yield from (a.name for a in names if a.name.startswith(f"{package}."))


@pytest.mark.parametrize(
    "text",
    [
        "kind == 's3'",
        "service.provider.httpApi",
        "from bootstrap.definition.events import sqs",
        "from bootstrap.definition.events.event_bridge import EventBridge",
        "import bootstrap.definition.events.s3",
    ],
)
def test_what_counts_as_naming_a_type(text: str) -> None:
    assert list(named(ast.parse(text)))


def test_a_client_of_a_service_names_no_type() -> None:
    assert not list(named(ast.parse("settings.client('sqs')")))


@pytest.mark.parametrize("module", outside())
def test_no_other_module_names_a_type(module: str) -> None:
    found = list(named(ast.parse((PACKAGE / module).read_text())))
    # eventBridge has a property that is called like another type.
    also_a_property = "“schedule”" if module == "checks/places.py" else None
    assert [one for one in found if not one.endswith(str(also_a_property))] == []

"""``bootstrap outputs``: the definition's Outputs and the stack's addresses, for other programs.

``up`` writes them to ``.trigger-stack/outputs.json`` and ``.trigger-stack/outputs.env``.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from bootstrap.commands.load import load_template
from bootstrap.console import err
from bootstrap.definition.model import parse_service
from bootstrap.errors import DeployError
from bootstrap.looking import knows_all
from bootstrap.services.base import Context
from bootstrap.settings import Settings
from bootstrap.template import Physical, Template, UnknownAttributeError, resolve

FOLDER = Path(".trigger-stack")
#: What other resources are reached by, by type: the suffix of its name here, and the attribute.
_SHOWN = {
    "AWS::SQS::Queue": ("QueueUrl", "QueueUrl"),
    "AWS::SNS::Topic": ("TopicArn", "TopicArn"),
    "AWS::DynamoDB::Table": ("TableName", ""),
    "AWS::S3::Bucket": ("BucketName", ""),
    "AWS::Kinesis::Stream": ("StreamName", ""),
    "AWS::Events::EventBus": ("EventBusName", ""),
    "AWS::Lambda::Function": ("FunctionName", ""),
    "AWS::Lambda::Url": ("Url", "FunctionUrl"),
}


def values(
    template: Template, created: dict[str, Physical], settings: Settings, pseudo: dict[str, str]
) -> dict[str, str]:
    """Every output by name: the definition's own, addresses, and what resources are called.

    An output that refers to what there is not is left out, and that is said on standard error.
    """
    service = parse_service(template.document)
    found: dict[str, str] = {"AwsEndpointUrl": settings.endpoint_url, "Region": settings.region}
    for event_type in {trigger.type.key: trigger.type for trigger in service.triggers}.values():
        for endpoint in event_type.endpoints(settings):
            found[f"{re.sub('[^A-Za-z0-9]', '', endpoint.name.title())}Url"] = endpoint.url.split()[
                0
            ]
    for name, resource in template.resources.items():
        physical = created.get(name)
        if resource.type not in _SHOWN or physical is None:
            continue
        suffix, attribute = _SHOWN[resource.type]
        value = physical.attributes.get(attribute, "") if attribute else physical.ref
        if value and knows_all(value):
            own = name
            if resource.path[:1] == ("functions",):
                words = re.split("[^A-Za-z0-9]+", str(resource.path[1]))
                own = "".join(word[:1].upper() + word[1:] for word in words)
            found[f"{own}{suffix}"] = value
    for name, body in service.resources.Outputs.items():
        try:
            found[name] = _text(resolve(body["Value"], created, pseudo))
        except (UnknownAttributeError, KeyError, TypeError, ValueError) as error:
            # On AWS it may be there: what only a deployment needs is not made here.
            place = template.document.error("", "resources", "Outputs", name)
            err.print(f"{place}the output {name} is left out: there is no {error}", markup=False)
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def as_env(found: dict[str, str]) -> str:
    """Lines that a shell and Docker Compose read: ``ORDERS_QUEUE_URL='…'``."""
    names = {re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", n).upper(): n for n in found}
    return "".join(f"{name}={shlex.quote(found[own])}\n" for name, own in names.items())


def write(found: dict[str, str]) -> None:
    """Write both files, each whole or not at all. Without permission or room: a sentence."""
    texts = {"outputs.json": f"{json.dumps(found, indent=2)}\n", "outputs.env": as_env(found)}
    try:
        FOLDER.mkdir(exist_ok=True)
        for name, text in texts.items():
            handle, beside = tempfile.mkstemp(dir=FOLDER, prefix=f".{name}-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                Path(beside).chmod(0o644)
                Path(beside).replace(FOLDER / name)
            finally:
                Path(beside).unlink(missing_ok=True)
    except OSError as error:
        err.print(f"{FOLDER}/outputs.json cannot be written: {error.strerror}", markup=False)


def show(file: Path, form: str) -> None:
    """Print the outputs of the running stack.

    Raises:
        DeployError: it does not run, or has not been created yet.
    """
    from bootstrap.deploy import plan
    from bootstrap.gateway import healthy

    template = load_template(file)
    settings = Settings.from_environment(template.region)
    if not healthy(settings):
        raise DeployError(f"Nothing answers at {settings.endpoint_url}. Start it with: make up")
    context = Context(settings, template.service)
    planned = plan(template, context)
    missing = [step.logical_id for step in planned.steps.values() if step.action == "create"]
    if missing:
        raise DeployError(f"{', '.join(missing[:5])}: not created yet. Run: make up")
    found = values(template, planned.physical, settings, context.pseudo)
    sys.stdout.write(as_env(found) if form == "env" else f"{json.dumps(found, indent=2)}\n")

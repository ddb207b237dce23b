"""``bootstrap status``: what runs, what fires what, what waits."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import requests
from rich.table import Table

from bootstrap.commands.up import load_template
from bootstrap.console import out
from bootstrap.definition.events.event_bridge import rule_name
from bootstrap.definition.model import Service, parse_service
from bootstrap.errors import DeployError
from bootstrap.services.base import found
from bootstrap.settings import Settings
from bootstrap.template import Physical, Template


def triggers(service: Service, settings: Settings) -> list[tuple[str, str, str]]:
    """Function, trigger in words, and a command that fires it, for each trigger."""
    rows = []
    for key, function in service.functions.items():
        name = function.name or f"{service.service}-{service.provider.stage}-{key}"
        for index, event in enumerate(function.events):
            (kind, body), *_ = event.items()
            if kind == "eventBridge":
                rows.append((name, *_event_bridge(body, rule_name(name, index, body.get("name")))))
            else:
                rows.append((name, *_TRIGGERS[kind](body, service, settings)))
    return rows


def awslocal(settings: Settings) -> str:
    """How to call ``awslocal`` from this folder, whatever PATH and port are."""
    program = "awslocal" if shutil.which("awslocal") else ".venv/bin/awslocal"
    default = settings.endpoint_url == "http://localhost:4566"
    return program if default else f"AWS_ENDPOINT_URL={settings.endpoint_url} {program}"


def _http(body: Any, service: Service, settings: Settings) -> tuple[str, str]:
    text = body if isinstance(body, str) else f"{body.get('method', '*')} {body['path']}"
    method, _, path = text.partition(" ")
    if not path:  # the catch-all route
        method, path = "*", "/"
    example = path.replace("{brandId}", "acme")
    url = settings.http_api_url + re.sub(r"\{([^}+]+)\+?\}", r"\1", example)
    if method in ("*", "ANY", "GET"):
        return f"HTTP API {text}", f"curl -i {url}"
    if method in ("DELETE", "HEAD", "OPTIONS"):
        return f"HTTP API {text}", f"curl -i -X {method} {url}"
    data = _BRAND if path == "/brand/{brandId}" else "{}"
    return f"HTTP API {text}", f"curl -X {method} {url} -d '{data}'"


_BRAND = '{"name": "Acme", "contactEmail": "brand@acme.example", "colors": {"primary": "#0b5fff"}}'


def _s3(body: Any, service: Service, settings: Settings) -> tuple[str, str]:
    bucket = body if isinstance(body, str) else body["bucket"]
    known = service.provider.s3.get(bucket)
    name = known.name if known else bucket
    rules = [] if isinstance(body, str) else body.get("rules", [])
    prefix = next((r["prefix"] for r in rules if "prefix" in r), "")
    suffix = next((r["suffix"] for r in rules if "suffix" in r), "")
    picture = suffix in ("", ".png")
    key = "acme/logo" if name == "brand-assets-bucket" else "example"
    source = "samples/coffee-logo.png" if picture else "README.md"
    target = f"s3://{name}/{prefix}{key}{suffix or '.png'}"
    command = f"{awslocal(settings)} s3 cp {source} {target}"
    return f"S3 {name}/{prefix}*{suffix}", command


def _event_bridge(body: Any, rule: str) -> tuple[str, str]:
    if "schedule" in body:
        return f"schedule {body['schedule']}", f"make fire-schedule RULE={rule}"
    pattern = json.dumps(body.get("pattern", {}), separators=(",", ":"))
    return f"bus rule {rule}", f"(fires on events that match {pattern})"


def _sqs(body: Any, service: Service, settings: Settings) -> tuple[str, str]:
    arn = body if isinstance(body, str) else body["arn"]
    queue = arn.rsplit(":", 1)[-1] if isinstance(arn, str) else ""
    if isinstance(arn, dict) and "Fn::GetAtt" in arn:
        resource = service.resources.Resources.get(arn["Fn::GetAtt"][0], {})
        queue = resource.get("Properties", {}).get("QueueName", arn["Fn::GetAtt"][0])
    url = f"{settings.endpoint_url}/000000000000/{queue}"
    text = _NOTIFICATION if queue == "brand-notifications" else "{}"
    command = f"sqs send-message --queue-url {url} --message-body '{text}'"
    return f"SQS {queue}", f"{awslocal(settings)} {command}"


_NOTIFICATION = (
    '{"brandId": "acme", "eventType": "BrandUpdated", "notifyEmail": "you@acme.example"}'
)
_TRIGGERS = {"httpApi": _http, "s3": _s3, "sqs": _sqs}


#: What there is, by resource type: how it is called, and the property that names one.
_SHOWN = {
    "AWS::Lambda::Function": ("functions", "FunctionName"),
    "AWS::DynamoDB::Table": ("tables", "TableName"),
    "AWS::S3::Bucket": ("buckets", "BucketName"),
    "AWS::SQS::Queue": ("queues", "QueueName"),
    "AWS::Events::EventBus": ("buses", "Name"),
    "AWS::Events::Rule": ("rules", "Name"),
}


def print_try_it(file: Path, created: dict[str, Physical]) -> None:
    """Print what exists, the URLs, and one command for each trigger."""
    template = load_template(file)
    settings = Settings.from_environment(template.region)
    service = parse_service(template.document)
    for kind, (word, name_property) in _SHOWN.items():
        names = [
            str(resource.properties.get(name_property, resource.logical_id))
            for resource in template.resources.values()
            if resource.type == kind and resource.logical_id in created
        ]
        if names:
            out.print(f"{word:<10}{', '.join(names)}", markup=False)
    out.print(f"AWS API   {settings.endpoint_url}")
    if any("httpApi" in e for f in service.functions.values() for e in f.events):
        out.print(f"HTTP API  {settings.http_api_url}")
    out.print("\nTry a trigger:")
    for name, trigger, command in triggers(service, settings):
        out.print(f"  [bold]{name}[/] ({trigger})")
        out.print(f"    {command}", markup=False)
    out.print("Mails sent: curl " + settings.endpoint_url + "/_aws/ses", markup=False)


def run(file: Path) -> None:
    """Print the state of the stack.

    Raises:
        DeployError: nothing answers.
    """
    template = load_template(file)
    settings = Settings.from_environment(template.region)
    try:
        health = requests.get(f"{settings.endpoint_url}/_localstack/health", timeout=5)
        health.raise_for_status()
    except requests.RequestException as error:
        raise DeployError(
            f"Nothing answers at {settings.endpoint_url}. Start the stack with: make up."
        ) from error
    out.print(f"AWS API   {settings.endpoint_url}  (LocalStack {health.json().get('version')})")
    out.print(f"HTTP API  {settings.http_api_url}")
    _print_functions(template, settings)
    _print_queues(settings)


def _print_functions(template: Template, settings: Settings) -> None:
    service = parse_service(template.document)
    client = settings.client("lambda")
    states = {
        function["FunctionName"]: function
        for page in client.get_paginator("list_functions").paginate()
        for function in page["Functions"]
    }
    table = Table("function", "runtime", "state", "fired by", box=None, pad_edge=False)
    for name, trigger, _ in triggers(service, settings):
        state = states.get(name)
        table.add_row(
            name,
            state["Runtime"] if state else "",
            (client.get_function_configuration(FunctionName=name)["State"])
            if state
            else "missing: make up",
            trigger,
        )
    out.print()
    out.print(table)


def _print_queues(settings: Settings) -> None:
    sqs = settings.client("sqs")
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    table = Table("queue", "waiting", "in flight", box=None, pad_edge=False)
    for page in sqs.get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", []):
            counts = found(
                partial(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=list(names)),
                "AWS.SimpleQueueService.NonExistentQueue",
                "QueueDoesNotExist",
            )
            if counts is None:  # deleted since it was listed
                continue
            table.add_row(url.rsplit("/", 1)[-1], *(counts["Attributes"][n] for n in names))
    out.print()
    out.print(table)

"""Triggers, one module per event type of the Serverless Framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bootstrap.definition.document import KeyPath
from bootstrap.definition.events import event_bridge, http_api, s3, sqs
from bootstrap.definition.model import Service
from bootstrap.template import Template

type EventCompiler = Callable[[str, int, Any, KeyPath, Service, Template], None]

EVENT_COMPILERS: dict[str, EventCompiler] = {
    "eventBridge": event_bridge.compile_event,
    "httpApi": http_api.compile_event,
    "s3": s3.compile_event,
    "sqs": sqs.compile_event,
}


def compile_event(
    key: str, index: int, event: dict[str, Any], service: Service, template: Template
) -> None:
    """Add the resources of one trigger of function ``key``.

    Raises:
        DefinitionError: an unknown event type, or one that is written wrongly.
    """
    path: KeyPath = ("functions", key, "events", index)
    if len(event) != 1:
        template.document.fail(
            f"functions.{key}.events[{index}] must have exactly one event type; it has "
            f"{', '.join(event) or 'none'}.",
            *path,
        )
    (kind, body), *_ = event.items()
    if kind not in EVENT_COMPILERS:
        template.document.fail(
            f"functions.{key}: the event type “{kind}” is not supported here. Supported: "
            f"{', '.join(sorted(EVENT_COMPILERS))}.",
            *path,
        )
    EVENT_COMPILERS[kind](key, index, body, (*path, kind), service, template)

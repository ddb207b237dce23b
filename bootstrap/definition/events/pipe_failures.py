"""Records that a pipe gave up: EventBridge User Guide, "Pipe DLQ behavior".

A pipe is a resource and no event type; its source's dead-letter queue is one like the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from bootstrap.definition.events.failures import DeadLetter, FailurePath
from bootstrap.definition.events.stream import read_again
from bootstrap.services.base import found
from bootstrap.settings import Settings

_BATCHES = ("KinesisBatchInfo", "DDBStreamBatchInfo")


class _PipeSource(FailurePath):
    """The document says which pipe it was, and where the records are in the stream."""

    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        pipes = settings.client("pipes")
        for page in pipes.get_paginator("list_pipes").paginate():
            for one in page["Pipes"]:
                pipe = found(partial(pipes.describe_pipe, Name=one["Name"]), "NotFoundException")
                for parameters in ((pipe or {}).get("SourceParameters") or {}).values():
                    if arn := (parameters.get("DeadLetterConfig") or {}).get("Arn"):
                        yield arn

    def read(self, message: dict[str, Any]) -> DeadLetter | None:
        document = _document(message["Body"])
        if document is None:
            return None
        context = document["context"]
        batch = next(document[name] for name in _BATCHES if name in document)
        reason = (
            f"{context.get('condition')}: {batch['batchSize']} records of {batch['streamArn']}"
            f" {batch['shardId']}"
        )
        name = str(context["partnerResourceArn"]).rpartition("/")[2]
        return DeadLetter(f"pipe {name}", reason, message["Body"], message)

    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        """Read the records again, as long as the stream has them, and give them to the pipe."""
        # Imported here: make check asks nobody.
        import requests

        document = json.loads(letter.payload)
        name = str(document["context"]["partnerResourceArn"]).rpartition("/")[2]
        answer = requests.post(
            f"{settings.endpoint_url}/_trigger_stack/pipes/{name}/deliver",
            data=json.dumps({"Records": read_again(settings, document)}, default=str),
            timeout=60,
        )
        if not answer.ok:
            raise RuntimeError(answer.text)


def _document(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    context = document.get("context") if isinstance(document, dict) else None
    if not isinstance(context, dict) or "partnerResourceArn" not in context:
        return None
    return document if any(name in document for name in _BATCHES) else None


#: The failure path of every pipe on a stream.
PIPE_SOURCE = _PipeSource()

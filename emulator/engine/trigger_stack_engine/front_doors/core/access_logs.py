"""Access logs of API Gateway's stages: one line for each request, in a log group.

AWS topics: API Gateway Developer Guide, "Configure logging for HTTP APIs in API Gateway" and "Set
up CloudWatch logging for REST APIs in API Gateway". A format is text with ``$context`` variables;
one that has no value becomes ``-``. The line is written after the response has been sent.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack_engine.logs.output import now_ms, split_message
from trigger_stack_engine.logs.sender import LogSender, Stream

NO_VALUE: Final = "-"

_VARIABLE: Final = re.compile(r"\$context\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)")
_LOG_GROUP: Final = re.compile(
    r"arn:[a-z-]+:logs:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):log-group:(?P<group>[^:*]+)(:\*)?"
)
_SPECIAL: Final = re.compile(r'["\\\x00-\x1f]')
#: Values that are JSON text already, quotation marks included.
_QUOTED: Final = "error.messageString"

#: Writes one line to a stream.
type Write = Callable[[Stream, str], None]


def parse_log_group(arn: str) -> tuple[str, str, str] | None:
    """Account, region and name of a log group; ``None`` when the ARN names none."""
    match = _LOG_GROUP.fullmatch(arn)
    return (match["account"], match["region"], match["group"]) if match else None


@dataclass(frozen=True, slots=True)
class AccessLog:
    """The access log of one stage.

    Attributes:
        stream: Where its lines go.
        parts: Text and names of variables in turns, text first.
        is_json: Whether lines are JSON documents, in which values are escaped.
    """

    stream: Stream
    parts: tuple[str, ...]
    is_json: bool

    @classmethod
    def from_settings(
        cls, destination_arn: str | None, line_format: str | None, api_id: str, stage: str
    ) -> AccessLog | None:
        """From a stage's settings; ``None`` when they name no log group or no format.

        Args:
            destination_arn: ARN of a log group.
            line_format: Text with ``$context`` variables.
            api_id: Id of the API.
            stage: Name of the stage.
        """
        place = parse_log_group(destination_arn or "")
        if place is None or not line_format:
            return None
        # API Gateway names its streams by such a digest; which one, it does not say.
        name = hashlib.sha256(f"{api_id}/{stage}".encode()).hexdigest()[:32]
        text = line_format.rstrip("\r\n")
        return cls(Stream(*place, name), tuple(_VARIABLE.split(text)), text.startswith("{"))

    def line(self, values: Mapping[str, Any]) -> str:
        """The line of one request.

        Args:
            values: The ``$context`` variables, nested as their names are.
        """
        texts = list(self.parts)
        for index in range(1, len(texts), 2):
            name = texts[index]
            text = context_text(values, name)
            if self.is_json and name != _QUOTED and _SPECIAL.search(text):
                text = json.dumps(text, ensure_ascii=False)[1:-1]
            texts[index] = text
        return "".join(texts)


def context_text(values: Mapping[str, Any], name: str) -> str:
    """A ``$context`` variable as a log has it: ``-`` when there is none."""
    found = context_value(values, name)
    return NO_VALUE if found is None or found == "" else found


def context_value(values: Mapping[str, Any], name: str) -> str | None:
    """A ``$context`` variable as text.

    Args:
        values: All variables, nested as their names are.
        name: For example ``identity.sourceIp``.

    Returns:
        ``None`` when there is none; a mapping as a whole is none either.
    """
    found: Any = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if found is None or isinstance(found, Mapping | list):
        return None
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found)


def error_variables(message: object, response_type: str) -> dict[str, Any]:
    """``$context.error``: what the API answered by itself, and which of its responses it is."""
    text = None if message is None else str(message)
    quoted = None if text is None else json.dumps(text, ensure_ascii=False)
    return {"message": text, "messageString": quoted, "responseType": response_type}


def writer(sender: LogSender) -> Write:
    """A function that hands lines to the sender of the engine's logs."""

    def write(stream: Stream, line: str) -> None:
        for event in split_message(now_ms(), line.encode("utf-8", "replace")):
            sender.put(stream, event)

    return write

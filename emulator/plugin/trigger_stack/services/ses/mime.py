"""A mail from the parts that ``SendEmail`` of API version 2 takes.

AWS topic: Amazon SES API version 2, ``EmailContent``.
"""

from __future__ import annotations

import json
import mimetypes
import re
from email.message import EmailMessage
from typing import Any

from trigger_stack.services.errors import ServiceError

_TAG = re.compile(r"\{\{\{?\s*([\w.]+)\s*\}?\}\}")


def with_attachments(
    content: dict[str, Any], *, source: str, destination: dict[str, list[str]]
) -> str:
    """A simple message with attachments, as one text.

    Args:
        content: ``Simple`` of the request.
        source: The sender.
        destination: ``ToAddresses`` and so on.
    """
    message = EmailMessage()
    message["From"], message["Subject"] = _line(source), _line(content["Subject"]["Data"])
    for header, name in (("To", "ToAddresses"), ("Cc", "CcAddresses")):
        if destination.get(name):
            message[header] = _line(", ".join(destination[name]))
    for one in content.get("Headers") or []:
        message[one["Name"]] = _line(one["Value"])
    body = content["Body"]
    if body.get("Text"):
        message.set_content(body["Text"]["Data"])
    if body.get("Html"):
        add = message.add_alternative if body.get("Text") else message.set_content
        add(body["Html"]["Data"], subtype="html")
    for one in content.get("Attachments") or []:
        kind = one.get("ContentType") or mimetypes.guess_type(one["FileName"])[0] or ""
        main, _, sub = kind.partition("/")
        message.add_attachment(
            one["RawContent"],
            maintype=main if sub else "application",
            subtype=sub or "octet-stream",
            filename=one["FileName"],
        )
    return message.as_string()


def filled_in(text: str | None, data: str | None) -> str | None:
    """A template's text with the values for its tags: ``{{name}}``.

    Raises:
        ServiceError: The values are no JSON object, or one is missing.
    """
    if text is None:
        return None
    try:
        values = json.loads(data or "{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ServiceError("BadRequestException", "TemplateData is no JSON object.")

    def value_of(match: re.Match[str]) -> str:
        found: Any = values
        for name in match[1].split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found is None:
            missing = f"Attribute '{match[1]}' is not present in the rendering data."
            raise ServiceError("BadRequestException", missing)
        return found if isinstance(found, str) else json.dumps(found)

    if re.search(r"\{\{\s*[#/>^!]", text):
        raise ServiceError(
            "BadRequestException", "Blocks such as {{#each}} are not part of this stack."
        )
    return _TAG.sub(value_of, text)


def _line(text: str) -> str:
    return " ".join(text.split())

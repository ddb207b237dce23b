"""``MOCK`` integrations without templates that compute: what answers preflight requests.

AWS topics: API Gateway Developer Guide, "Mock integrations for REST APIs in API Gateway" and
"Mapping template transformations" (the request's ``Content-Type`` and ``Accept`` choose templates).
Mocks whose templates or mappings compute something, and requests of a type without a template, go
to LocalStack, which has the template language and what is passed through.
"""

from __future__ import annotations

import re
from typing import Any, Final

from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse

Resource = dict[str, Any]

_STATUS: Final = re.compile(r"""["']?statusCode["']?\s*:\s*["']?(\d{3})""")
_COMPUTES: Final = re.compile(r"[#$]")
_JSON: Final = "application/json"
_HEADER: Final = "method.response.header."


def mock_response(request: HttpRequest, integration: Resource) -> HttpResponse | None:
    """The response of a mock, or ``None`` when something has to be computed.

    Args:
        request: The request.
        integration: The ``Integration`` shape.
    """
    templates = integration.get("requestTemplates") or {}
    content_type = (request.header("content-type") or _JSON).partition(";")[0]
    template = templates.get(content_type.strip().lower())
    match = _STATUS.search(template or "")
    if template is None or match is None or _COMPUTES.search(template):
        return None
    responses = integration.get("integrationResponses") or {}
    chosen = _select(match[1], list(responses.values()))
    if chosen is None:
        return None
    mappings = chosen.get("responseParameters") or {}
    bodies = chosen.get("responseTemplates") or {}
    if any(not _is_literal(value) for value in mappings.values()):
        return None
    accepted = request.header("accept") or _JSON
    media_type = next((one for one in (accepted, _JSON, *bodies) if one in bodies), _JSON)
    body = bodies.get(media_type)
    if _COMPUTES.search(body or ""):
        return None
    headers = [
        (name.removeprefix(_HEADER), value[1:-1])
        for name, value in mappings.items()
        if name.startswith(_HEADER)
    ]
    if all(name.lower() != "content-type" for name, _ in headers):
        headers.append(("content-type", media_type))
    return HttpResponse(int(chosen["statusCode"]), headers, (body or "").encode())


def _select(status: str, responses: list[Resource]) -> Resource | None:
    for response in responses:
        pattern = response.get("selectionPattern")
        if pattern and re.fullmatch(pattern, status):
            return response
    return next((one for one in responses if not one.get("selectionPattern")), None)


def _is_literal(value: str) -> bool:
    return len(value) > 1 and value[0] == value[-1] == "'" and "\n" not in value

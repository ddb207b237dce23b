"""Parameter mapping: what an integration changes in requests and responses.

AWS topic: API Gateway Developer Guide, "Transform API requests and responses for HTTP APIs in API
Gateway". A parameter whose value is one expression without a result is not appended, and
``overwrite`` removes it: what the client sent must not stand for what the API was to set.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from trigger_stack_engine.front_doors.core.encoding import parse_query
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.core.responses import parse_header, parse_status
from trigger_stack_engine.json_text import dump_json, load_json

_REQUEST_KEY: Final = re.compile(
    r"(append|overwrite|remove):(header|querystring)\.(\S+)|(overwrite):(path)()"
)
_RESPONSE_KEY: Final = re.compile(
    r"(append|overwrite|remove):(header)\.(\S+)|(overwrite):(statuscode)()"
)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STATUS: Final = re.compile(r"[2-5][0-9]{2}")
_EXPRESSION: Final = re.compile(
    r"\$\{([^{}]*)\}"
    r"|\$((?:request|response|context|stageVariables)\b"
    r"(?:\.[A-Za-z0-9_-]+(?:\[[0-9]+\])*)*)"
)
_SOURCES: Final = (
    r"context(\.[A-Za-z0-9_]+)+|stageVariables\.[A-Za-z0-9_]+|{0}\.header\.[!#$%&'*+.^_`|~0-9A-Za-z-]+"
    r"|{0}\.body(\.[A-Za-z0-9_-]+(\[[0-9]+\])*)*"
)
_REQUEST_SOURCE: Final = re.compile(
    _SOURCES.replace("{0}", "request")
    + r"|request\.querystring\.\S+|request\.path(\.[A-Za-z0-9._-]+)?"
)
_RESPONSE_SOURCE: Final = re.compile(_SOURCES.replace("{0}", "response"))
_RESERVED: Final = re.compile(
    r"access-control-.*|apigw-.*|authorization|connection|content-encoding|content-length"
    r"|content-location|forwarded|keep-alive|origin|proxy-authenticate|proxy-authorization|te"
    r"|trailers?|transfer-encoding|upgrade|x-amz-.*|x-amzn-.*|x-forwarded-(for|host|proto)|via",
    re.IGNORECASE,
)
_MOST_BODY_BYTES: Final = 100 * 1024
"""What API Gateway reads of a body for a JSON path."""

#: The value of an expression such as ``request.header.X-Name``; ``None``: there is none.
type Lookup = Callable[[str], str | None]


class InvalidMappingError(ValueError):
    """A mapping that HTTP APIs do not take; the text says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of ``RequestParameters`` or ``ResponseParameters``.

    Attributes:
        action: ``append``, ``overwrite`` or ``remove``.
        place: ``header``, ``querystring``, ``path`` or ``statuscode``.
        name: Of the header or parameter.
        value: Text and expressions in turns, text first.
    """

    action: str
    place: str
    name: str
    value: tuple[str, ...]

    def text(self, lookup: Lookup) -> str | None:
        """The value; ``None`` when it is one expression and has none."""
        if len(self.value) == 1:
            return self.value[0]
        if len(self.value) == 3 and not self.value[0] and not self.value[2]:
            return lookup(self.value[1])
        return "".join(
            (lookup(part) or "") if index % 2 else part for index, part in enumerate(self.value)
        )


@dataclass(frozen=True, slots=True)
class ParameterMapping:
    """What an integration changes.

    Attributes:
        request: Changes before the integration.
        response: Changes after it, by its status code.
    """

    request: tuple[Change, ...]
    response: Mapping[str, tuple[Change, ...]]

    @classmethod
    def of(cls, integration: Mapping[str, Any]) -> ParameterMapping | None:
        """The mapping of an ``Integration``; ``None`` when it changes nothing.

        Raises:
            InvalidMappingError: HTTP APIs do not take it.
        """
        request = tuple(
            _change(_REQUEST_KEY, _REQUEST_SOURCE, key, value)
            for key, value in (integration.get("RequestParameters") or {}).items()
        )
        response = {}
        for status, parameters in (integration.get("ResponseParameters") or {}).items():
            if not _STATUS.fullmatch(status):
                raise InvalidMappingError(
                    f"Invalid selection key {status} specified for ResponseParameters: it must be"
                    " a status code from 200 to 599"
                )
            response[status] = tuple(
                _change(_RESPONSE_KEY, _RESPONSE_SOURCE, key, value)
                for key, value in parameters.items()
            )
        response = {status: changes for status, changes in response.items() if changes}
        return cls(request, response) if request or response else None


def _change(keys: re.Pattern[str], sources: re.Pattern[str], key: str, value: str) -> Change:
    match = keys.fullmatch(key)
    if match is None:
        raise _invalid(f"Invalid destination: {key}")
    action, place, name = match.groups()[:3] if match[1] else match.groups()[3:]
    if place == "header":
        if not _HEADER_NAME.fullmatch(name):
            raise _invalid(f"Invalid header name: {name}")
        if _RESERVED.fullmatch(name):
            raise InvalidMappingError(f"Operations on header {name} are restricted")
    if action == "remove":
        return Change(action, place, name, ("",))
    parts: list[str] = []
    end = 0
    for found in _EXPRESSION.finditer(value):
        expression = found[1] if found[1] is not None else found[2]
        if not sources.fullmatch(expression):
            raise _invalid(f"Invalid source: {value} specified for destination: {key}")
        parts += [value[end : found.start()], expression]
        end = found.end()
    parts.append(value[end:])
    if any(re.search(r"\$[{A-Za-z]|^\.\.", text) for text in parts[::2]):
        raise _invalid(f"Invalid source: {value} specified for destination: {key}")
    if place == "statuscode" and len(parts) == 1 and not _STATUS.fullmatch(value):
        raise _invalid(f"Invalid source: {value} specified for destination: {key}")
    return Change(action, place, name, tuple(parts))


def _invalid(problem: str) -> InvalidMappingError:
    return InvalidMappingError(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
        f"[{problem}]"
    )


# -- Requests --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MappedRequest:
    """A request as an integration gets it.

    Attributes:
        request: With the client's path.
        path: Percent-encoded path to use instead; ``None``: there is no other.
        host: ``Host`` header to send; ``None``: that of the address that is called.
    """

    request: HttpRequest
    path: str | None = None
    host: str | None = None


def map_request(changes: tuple[Change, ...], request: HttpRequest, lookup: Lookup) -> MappedRequest:
    """A request, changed.

    Args:
        changes: What to change; values are all taken from the request as it came.
        request: The request.
        lookup: Values of expressions.

    Raises:
        HttpError: 400 when the query string cannot be decoded, 500 for a value that no header
            can have.
    """
    headers = list(request.headers)
    query: list[tuple[str, str]] | None = None
    path: str | None = None
    host: str | None = None
    for change in changes:
        if change.place == "path":
            path = _path(change, lookup)
        elif change.place == "header":
            headers = _changed_headers(headers, change, lookup)
            if change.name.lower() == "host":
                host = change.text(lookup)
        else:
            query = parse_query(request.raw_query) if query is None else query
            text = change.text(lookup)
            if change.action != "append":
                query = [one for one in query if one[0] != change.name]
            if change.action != "remove" and text is not None:
                query.append((change.name, text))
    raw_query = request.raw_query if query is None else urlencode(query, quote_via=quote)
    return MappedRequest(
        dataclasses.replace(request, headers=headers, raw_query=raw_query), path, host
    )


def _path(change: Change, lookup: Lookup) -> str | None:
    def encoded(expression: str) -> str | None:
        value = lookup(expression)
        is_encoded = value is None or expression == "request.path"
        return value if is_encoded else quote(value or "", safe="/")

    text = change.text(encoded)
    if text is None:
        return None
    path = quote(text, safe="/%:@!$&'()*+,;=~")
    return path if path.startswith("/") else f"/{path}"


def _changed_headers(headers: Headers, change: Change, lookup: Lookup) -> Headers:
    name = change.name.lower()
    before = [value for key, value in headers if key.lower() == name]
    text = change.text(lookup)
    if change.action == "append":
        if text is None:
            return headers
        # Several values are one header for the integration.
        text = ",".join([*before, text])
    others = [(key, value) for key, value in headers if key.lower() != name]
    if change.action == "remove" or text is None:
        return others
    return [*others, parse_header(change.name, text)]


# -- Responses -------------------------------------------------------------------------------


def map_response(
    changes: tuple[Change, ...], response: HttpResponse, lookup: Lookup
) -> HttpResponse:
    """The changed response of an integration.

    Args:
        changes: What to change; values are all taken from the response as it came.
        response: The response.
        lookup: Values of expressions that are not of the response.

    Raises:
        HttpError: 500 for a value that no header or status can have.
    """

    def value_of(expression: str) -> str | None:
        if expression.startswith("response."):
            return _of_response(response, expression.removeprefix("response."))
        return lookup(expression)

    headers, status = list(response.headers), response.status
    for change in changes:
        if change.place == "statuscode":
            status = parse_status(change.text(value_of))
            continue
        name = change.name.lower()
        if change.action != "append":
            headers = [one for one in headers if one[0].lower() != name]
        text = change.text(value_of)
        if change.action != "remove" and text is not None:
            headers.append(parse_header(change.name, text))
    return dataclasses.replace(response, status=status, headers=headers)


def _of_response(response: HttpResponse, expression: str) -> str | None:
    place, _, name = expression.partition(".")
    if place == "header":
        return joined_header(response.headers, name)
    return of_body(response.body, name)


def joined_header(headers: Headers, name: str) -> str | None:
    """All values of a header, separated by commas; ``None`` when there is none."""
    values = [value for key, value in headers if key.lower() == name.lower()]
    return ",".join(values) if values else None


def of_body(body: bytes, path: str) -> str | None:
    """A part of a JSON body.

    Args:
        body: The body; of one that is longer than 100 kB only the whole can be had.
        path: ``name``, ``name.other``, ``names[0].name``; empty: the whole body.

    Returns:
        Text as it is, anything else as JSON; ``None`` when there is no such part.
    """
    if not path:
        return body.decode("utf-8", errors="replace") or None
    try:
        found: Any = load_json(body[:_MOST_BODY_BYTES])
    except (ValueError, RecursionError):
        return None
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(found, dict):
            found = found.get(part)
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    if found is None or isinstance(found, str):
        return found

    return dump_json(found).decode()

"""The OpenAPI document of the brand API (OpenAPI Specification 3.1)."""

from __future__ import annotations

from typing import Any

from functions.shared.http import JSON, PROBLEM_JSON
from functions.shared.paging import DEFAULT_LIMIT, MAX_LIMIT
from functions.shared.write_answers import CONFLICT, INVALID_BRAND, NOT_ANNOUNCED

from .schemas import BRAND_ID, CURSOR, ENTITY_TAGS, SCHEMAS

Part = dict[str, Any]

#: What each type of problem means, beside those of which the status says it all.
PROBLEMS: dict[str, str] = {
    INVALID_BRAND: "The content is JSON, but no valid brand comes of it. `errors` names each field "
    "and says what it must be.",
    CONFLICT: "Other writers changed the brand during each of five attempts. Nothing was written: "
    "send the request again.",
    NOT_ANNOUNCED: "A change of the brand is stored, but the event bus did not take its event. "
    "Send the request again: the next write of the brand publishes the event.",
}

_DESCRIPTION = """\
Reads and writes brands. A write publishes an event with what changed.

An answer with a brand has an `ETag`. Send it in `If-Match`, and a write is refused with 412 when
somebody else has changed the brand since; send it in `If-None-Match`, and a read answers 304 when
nothing has changed. A palette and a logo, which the platform adds by itself, change it, too.

Errors of the API are problem details (`application/problem+json`, RFC 9457). What API Gateway
answers in its place is `application/json` with a `message`. Nothing here is sent again for a
caller: after 500 and 503 a caller does that. PUT, PATCH and DELETE may be repeated safely.
"""

_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
_INVALID = {"schema": {"$ref": "#/components/schemas/InvalidBrand"}}
_GATEWAY = {"schema": {"$ref": "#/components/schemas/GatewayError"}}
_BRAND = {"schema": {"$ref": "#/components/schemas/Brand"}}

_ETAG: Part = {
    "description": "The strong entity tag of the answer's representation.",
    "required": True,
    "schema": {"type": "string", "pattern": '^"[!#-~]+"$'},
}
_CACHED: Part = {
    "description": "How long the answer counts as fresh.",
    "required": True,
    "schema": {"const": "max-age=300"},
}

_BRAND_ID: Part = {
    "name": "brandId",
    "in": "path",
    "required": True,
    "description": "1 to 63 lower-case letters, digits or -, not beginning with -.",
    "schema": {"type": "string", "pattern": BRAND_ID, "examples": ["acme"]},
}


def _condition(name: str, description: str) -> Part:
    schema = {"type": "string", "pattern": ENTITY_TAGS}
    return {"name": name, "in": "header", "description": description, "schema": schema}


_IF_MATCH = _condition(
    "If-Match",
    "Entity tags, or `*`. 412 when none of them is the present one. Compared strongly: a weak tag "
    "equals nothing.",
)
_IF_NONE_MATCH = _condition(
    "If-None-Match",
    "Entity tags, or `*`. The method is not performed when one of them is the present one. "
    "Compared weakly: `W/` does not count.",
)


def _errors(**problems: str) -> Part:
    """Error answers: `_404="why"` is a problem; what API Gateway answers comes with it.

    400 is API Gateway's, too: for malformed escapes in the path.
    """
    found: Part = {}
    for name, description in problems.items():
        status = name.removeprefix("_")
        content: Part = {PROBLEM_JSON: _INVALID if status == "422" else _PROBLEM}
        if description is _NO_ROUTE:
            content = {JSON: _GATEWAY}
        elif status in {"400", "404", "503"}:
            content[JSON] = _GATEWAY
        found[status] = {"description": description, "content": content}
    found.setdefault(
        "503",
        {"description": "API Gateway: the function took too long.", "content": {JSON: _GATEWAY}},
    )
    if "415" in found:
        found["415"]["headers"] = {
            "Accept-Patch": {
                "description": "The media types that PATCH takes.",
                "required": True,
                "schema": {"type": "string"},
            }
        }
    found["405"] = {
        "description": "Another method, behind a Function URL or a load balancer. An HTTP API "
        "answers 404 for it.",
        "headers": {
            "Allow": {
                "description": "The methods that can be used.",
                "required": True,
                "schema": {"type": "string"},
            }
        },
        "content": {PROBLEM_JSON: _PROBLEM},
    }
    for status, description in {
        "413": "API Gateway: the body is over 10 MB, or the request over Lambda's 6 MB.",
        "431": "API Gateway: request line and headers are over 10 240 bytes.",
        "500": "API Gateway: the function failed, or too many run at once.",
    }.items():
        found[status] = {"description": description, "content": {JSON: _GATEWAY}}
    return dict(sorted(found.items()))


def _content(schema: str, example: Any, *media_types: str) -> Part:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {name: {"schema": reference, "example": example} for name in media_types}


_CONDITION_400 = "A condition is neither `*` nor a list of entity tags."
_BODY_400 = "The body is no JSON, or a condition is neither `*` nor a list of entity tags."
_NO_BRAND = "There is no such brand."
_NO_ROUTE = "API Gateway: the path is none of these."
_UNMET = "A condition does not hold. Nothing was changed."
_409 = "Other writers were faster, five times in a row. Nothing was changed."
_422 = "The content is no valid brand, or the path no brand id."
_503 = (
    "The change is stored, but not announced yet: send the request again. From API Gateway: the "
    "function took too long, and may have stored the change."
)
_EXAMPLE = {
    "name": "Acme",
    "contactEmail": "brand@acme.example",
    "colors": {"primary": "#0b5fff"},
    "website": "https://acme.example",
}


def _brand_answer(description: str, **headers: Part) -> Part:
    return {
        "description": description,
        "headers": {"ETag": _ETAG, **headers},
        "content": {JSON: _BRAND},
    }


_GET: Part = {
    "operationId": "getBrand",
    "summary": "Read a brand",
    "tags": ["brands"],
    "parameters": [_IF_MATCH, _IF_NONE_MATCH],
    "responses": {
        "200": _brand_answer("The brand.", **{"Cache-Control": _CACHED}),
        "304": {
            "description": "The caller has the present representation. Without a body.",
            "headers": {"ETag": _ETAG, "Cache-Control": _CACHED},
        },
        **_errors(_400=_CONDITION_400, _404=_NO_BRAND, _412="`If-Match` does not hold."),
    },
}
_PUT: Part = {
    "operationId": "putBrand",
    "summary": "Create or replace a brand",
    "description": "The body is the whole brand: a website that it does not have is removed. "
    "A PUT that changes nothing publishes nothing. `If-None-Match: *` creates only. The body is "
    "read as JSON whatever its media type is.",
    "tags": ["brands"],
    "parameters": [_IF_MATCH, _IF_NONE_MATCH],
    "requestBody": {"required": True, "content": _content("BrandDraft", _EXAMPLE, JSON)},
    "responses": {
        "200": _brand_answer("The brand was there, and is as the body says now."),
        "201": _brand_answer("The brand is new."),
        **_errors(_400=_BODY_400, _404=_NO_ROUTE, _409=_409, _412=_UNMET, _422=_422, _503=_503),
    },
}
_PATCH: Part = {
    "operationId": "patchBrand",
    "summary": "Change parts of a brand",
    "description": "JSON Merge Patch (RFC 7396). A PATCH that changes nothing publishes nothing.",
    "tags": ["brands"],
    "parameters": [_IF_MATCH, _IF_NONE_MATCH],
    "requestBody": {
        "required": True,
        "content": _content(
            "BrandPatch",
            {"name": "Acme Ltd", "website": None},
            "application/merge-patch+json",
            JSON,
        ),
    },
    "responses": {
        "200": _brand_answer("The brand, as it is now."),
        **_errors(
            _400=_BODY_400,
            _404=_NO_BRAND,
            _409=_409,
            _412=_UNMET,
            _415="The body is of another media type, or of none.",
            _422=_422,
            _503=_503,
        ),
    },
}
_DELETE: Part = {
    "operationId": "deleteBrand",
    "summary": "Delete a brand",
    "description": "Deletes the brand and publishes `BrandDeleted`. After 503 the brand is "
    "deleted; the same request again publishes the event and answers 204.",
    "tags": ["brands"],
    "parameters": [_IF_MATCH, _IF_NONE_MATCH],
    "responses": {
        "204": {"description": "The brand is deleted. Without a body."},
        **_errors(_400=_CONDITION_400, _404=_NO_BRAND, _409=_409, _412=_UNMET, _503=_503),
    },
}
_LIST: Part = {
    "operationId": "listBrands",
    "summary": "List brands",
    "description": "In an order of the table's own. A brand that is there all the time is listed "
    "once. A page may have fewer brands than `limit`; the `nextCursor` of the last one, "
    "and of no other, is null.",
    "tags": ["brands"],
    "parameters": [
        {
            "name": "limit",
            "in": "query",
            "description": "Brands on a page, at most.",
            "schema": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_LIMIT,
                "default": DEFAULT_LIMIT,
            },
        },
        {
            "name": "cursor",
            "in": "query",
            "description": "The `nextCursor` of the page before. Opaque: nothing else is accepted.",
            "schema": {"type": "string", "pattern": CURSOR},
        },
    ],
    "responses": {
        "200": {
            "description": "A page.",
            "content": {JSON: {"schema": {"$ref": "#/components/schemas/BrandPage"}}},
        },
        **_errors(_400="`limit` or `cursor` is not what it must be.", _404=_NO_ROUTE),
    },
}


def _description_of_itself(operation: str, summary: str, media_type: str, schema: Part) -> Part:
    return {
        "operationId": operation,
        "summary": summary,
        "tags": ["description"],
        "parameters": [_IF_MATCH, _IF_NONE_MATCH],
        "responses": {
            "200": {
                "description": summary,
                "headers": {"ETag": _ETAG, "Cache-Control": _CACHED},
                "content": {media_type: {"schema": schema}},
            },
            "304": {
                "description": "The caller has it. Without a body.",
                "headers": {"ETag": _ETAG, "Cache-Control": _CACHED},
            },
            **_errors(_400=_CONDITION_400, _404=_NO_ROUTE, _412="`If-Match` does not hold."),
        },
    }


DOCUMENT: Part = {
    "openapi": "3.1.0",
    "info": {
        "title": "Brand API",
        "version": "1.0.0",
        "summary": "The HTTP API of the brand platform.",
        "description": _DESCRIPTION,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    },
    # Beside this document: right behind every front door, with a stage in the path or without.
    "servers": [{"url": "."}],
    "tags": [
        {"name": "brands", "description": "Brands, one and all."},
        {"name": "description", "description": "This description."},
    ],
    "paths": {
        "/brands": {"get": _LIST},
        "/brand/{brandId}": {
            "parameters": [_BRAND_ID],
            "get": _GET,
            "put": _PUT,
            "patch": _PATCH,
            "delete": _DELETE,
        },
        "/openapi.json": {
            "get": _description_of_itself(
                "getOpenApi",
                "This description as an OpenAPI 3.1 document",
                JSON,
                {"type": "object", "required": ["openapi", "info", "paths"]},
            )
        },
        "/docs": {
            "get": _description_of_itself(
                "getDocs", "This description as a page", "text/html", {"type": "string"}
            )
        },
    },
    "components": {"schemas": SCHEMAS},
}

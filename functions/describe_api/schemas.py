"""JSON Schemas of the brand API (JSON Schema 2020-12, as OpenAPI 3.1 takes it).

They say exactly what `BrandDraft` accepts: white space around texts is removed before it counts, so
patterns allow it. They are written with what Python, ECMA-262 and Rust read alike.
"""

from __future__ import annotations

from typing import Any

from functions.shared.brand_view import PUBLIC_ATTRIBUTES

Schema = dict[str, Any]

#: Unicode's White_Space, which pydantic removes around a text.
_SPACE = "[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]*"
_PRINTABLE = "[^\\u0000-\\u001f\\u007f-\\u009f]"
_SEEN = "[^\\u0000- \\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]"
_NOT_SPACE = "[^\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]"
_HOST = _NOT_SPACE[:-1] + "/?#@]"

BRAND_ID = "^[a-z0-9][a-z0-9-]{0,62}$"
_TAG = '(?:W/)?"[!#-~]*"'
ENTITY_TAGS = f"^[ \\t]*(?:\\*|(?:{_TAG})?[ \\t]*(?:,[ \\t]*(?:{_TAG})?[ \\t]*)*)[ \\t]*$"
CURSOR = "^[A-Za-z0-9_-]+$"


def _trimmed(pattern: str) -> str:
    return f"^{_SPACE}{pattern}{_SPACE}$"


NAME: Schema = {
    "type": "string",
    "description": "1 to 200 characters without control characters.",
    "pattern": _trimmed(f"{_SEEN}(?:{_PRINTABLE}{{0,198}}{_SEEN})?"),
    "examples": ["Acme"],
}
EMAIL: Schema = {
    "type": "string",
    "description": "One mail address, at most 254 characters. It is told about changes.",
    "maxLength": 254,
    "pattern": _trimmed(
        "[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\\.[A-Za-z0-9-]{1,63})+"
    ),
    "examples": ["brand@acme.example"],
}
COLOR: Schema = {
    "type": "string",
    "description": "A colour of sRGB. It is stored in lower case.",
    "pattern": _trimmed("#[0-9a-fA-F]{6}"),
    "examples": ["#0b5fff"],
}
WEBSITE: Schema = {
    "type": "string",
    "description": "An address of http or https without user name.",
    "maxLength": 2048,
    "pattern": _trimmed(f"https?://{_HOST}+(?:[/?#]{_NOT_SPACE}*)?"),
    "examples": ["https://acme.example"],
}
_COLOR_NAME = _trimmed("[A-Za-z][A-Za-z0-9_-]{0,31}")

_DRAFT: Schema = {
    "type": "object",
    "description": "A brand as callers write it.",
    "required": ["name", "contactEmail", "colors"],
    "properties": {
        "name": NAME,
        "contactEmail": EMAIL,
        "colors": {
            "type": "object",
            "description": "Up to 24 colours by name, one of them `primary`. A name is a letter "
            "and up to 31 letters, digits, _ or -.",
            "required": ["primary"],
            "properties": {"primary": COLOR},
            "patternProperties": {_COLOR_NAME: COLOR},
            "additionalProperties": False,
            "maxProperties": 24,
        },
        "website": WEBSITE | {"type": ["string", "null"]},
    },
    "additionalProperties": False,
}

_COLOR_OR_NULL = COLOR | {"type": ["string", "null"]}
_PATCH: Schema = {
    "type": "object",
    "description": "A JSON Merge Patch: what it names is changed, `null` removes a member, and a "
    "colour that it does not name stays. The result must be a valid brand.",
    "properties": {
        "name": NAME,
        "contactEmail": EMAIL,
        "colors": {
            "type": "object",
            "properties": {"primary": COLOR},
            "patternProperties": {_COLOR_NAME: _COLOR_OR_NULL},
            "additionalProperties": {"type": "null"},
            "maxProperties": 24,
        },
        "website": WEBSITE | {"type": ["string", "null"]},
        **{
            name: False for name in PUBLIC_ATTRIBUTES if name not in _DRAFT["properties"]
        },  # computed by the platform
    },
    "additionalProperties": {"type": "null"},
}

_HEX: Schema = {"type": "string", "pattern": "^#[0-9a-f]{6}$"}
_SWATCH: Schema = {
    "type": "object",
    "description": "What is computed for one colour.",
    "required": ["base", "tints", "shades", "text", "contrast"],
    "properties": {
        "base": _HEX,
        "tints": {"type": "array", "items": _HEX, "minItems": 5, "maxItems": 5},
        "shades": {"type": "array", "items": _HEX, "minItems": 5, "maxItems": 5},
        "text": {"enum": ["#000000", "#ffffff"], "description": "Readable on the colour."},
        "contrast": {
            "type": "number",
            "minimum": 1,
            "maximum": 21,
            "description": "WCAG's contrast ratio of text and colour.",
        },
    },
    "additionalProperties": False,
}
_TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "examples": ["2026-11-23T05:40:00.000000Z"],
}

_BRAND: Schema = {
    "type": "object",
    "description": "A brand as the platform shows it.",
    "required": ["brandId", "name", "contactEmail", "colors", "version", "createdAt", "updatedAt"],
    "properties": {
        "brandId": {"type": "string", "pattern": BRAND_ID, "examples": ["acme"]},
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "contactEmail": {"type": "string", "maxLength": 254},
        "website": {"type": "string", "maxLength": 2048},
        "colors": {
            "type": "object",
            "required": ["primary"],
            "additionalProperties": _HEX,
            "minProperties": 1,
            "maxProperties": 24,
        },
        "palette": {
            "type": "object",
            "description": "Computed from the colours, a moment after they were written.",
            "additionalProperties": {"$ref": "#/components/schemas/Swatch"},
        },
        "logoUrl": {"type": "string", "description": "Address of the newest logo."},
        "version": {
            "type": "integer",
            "minimum": 1,
            "description": "Counts the changes that callers made.",
        },
        "createdAt": _TIME,
        "updatedAt": _TIME,
    },
    "additionalProperties": False,
}

_PAGE: Schema = {
    "type": "object",
    "required": ["brands", "nextCursor"],
    "properties": {
        "brands": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Brand"},
            "maxItems": 100,
        },
        "nextCursor": {
            "type": ["string", "null"],
            "description": "The `cursor` of the next page; null on the last page, and only there.",
        },
    },
    "additionalProperties": False,
}

_PROBLEM: Schema = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "`about:blank`, or the place on `/docs` that describes the problem.",
        },
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong, in a sentence."},
    },
}
_INVALID: Schema = {
    "description": "Problem details with each thing that is wrong.",
    "allOf": [{"$ref": "#/components/schemas/Problem"}],
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "examples": ["colors.primary"]},
                    "message": {"type": "string"},
                },
                "additionalProperties": False,
            },
        }
    },
}
_GATEWAY_ERROR: Schema = {
    "type": "object",
    "description": "API Gateway's own answer, when no function could give one.",
    "required": ["message"],
    "properties": {"message": {"type": ["string", "null"]}},
    "additionalProperties": False,
}

#: `components.schemas` of the document.
SCHEMAS: dict[str, Schema] = {
    "Brand": _BRAND,
    "BrandDraft": _DRAFT,
    "BrandPatch": _PATCH,
    "BrandPage": _PAGE,
    "Swatch": _SWATCH,
    "Problem": _PROBLEM,
    "InvalidBrand": _INVALID,
    "GatewayError": _GATEWAY_ERROR,
}

"""A brand as callers write it: what it may be, and what is said when it is not."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from functions.shared.names import is_email
from functions.shared.write_errors import InvalidBrandError, MalformedBodyError

_COLOR = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
_COLOR_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}", re.ASCII)
_WEBSITE = re.compile(r"https?://[^\s/?#@]+([/?#]\S*)?")


def _printable(value: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise PydanticCustomError("name", "must not contain control characters")
    return value


def _email(value: str) -> str:
    if not is_email(value):
        raise PydanticCustomError("email", "must be one mail address, like info@example.com")
    return value


def _color(value: str) -> str:
    if not _COLOR.fullmatch(value):
        raise PydanticCustomError("color", "must be a colour like #0b5fff")
    return value.lower()


def _color_name(value: str) -> str:
    if not _COLOR_NAME.fullmatch(value):
        raise PydanticCustomError(
            "color_name", "must be a letter followed by at most 31 letters, digits, _ or -"
        )
    return value


def _website(value: str) -> str:
    if not _WEBSITE.fullmatch(value):
        raise PydanticCustomError("website", "must be an address like https://example.com")
    return value


def _with_primary(colors: dict[str, str]) -> dict[str, str]:
    # The rule `regenerate-palette` matches on it: EventBridge's `exists` sees leaves, not maps.
    if "primary" not in colors:
        raise PydanticCustomError("colors", "must name the colour primary")
    return colors


class BrandDraft(BaseModel):
    """A brand as a caller writes it. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True)

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
    contactEmail: Annotated[str, AfterValidator(_email)]  # noqa: N815  the name in JSON and table
    colors: Annotated[
        dict[Annotated[str, AfterValidator(_color_name)], Annotated[str, AfterValidator(_color)]],
        Field(max_length=24),
        AfterValidator(_with_primary),
    ]
    website: Annotated[str, Field(max_length=2048), AfterValidator(_website)] | None = None


def parse_json(body: str | None, is_base64_encoded: bool) -> Any:
    """Read a request body.

    Args:
        body: As in the event; None when the request had none.
        is_base64_encoded: An HTTP API encodes every body whose content type it does not know as
            text, curl's default among them.

    Raises:
        MalformedBodyError: The body is not base64, not UTF-8 or not JSON.
    """
    try:
        text = base64.b64decode(body or "", validate=True) if is_base64_encoded else body or ""
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedBodyError("The body must be JSON in UTF-8") from error


def draft_of(data: Any) -> BrandDraft:
    """The brand that JSON describes.

    Raises:
        InvalidBrandError: The JSON is no brand.
    """
    try:
        return BrandDraft.model_validate(data)
    except ValidationError as error:
        raise InvalidBrandError(
            [
                {"field": _field(reason["loc"]), "message": reason["msg"]}
                for reason in error.errors(include_url=False, include_input=False)
            ]
        ) from error


def _field(location: tuple[int | str, ...]) -> str:
    """The path of a field as a caller writes it: pydantic marks a map's key with `[key]`."""
    parts = [str(part) for part in location if part not in {"", "[key]"}]
    return ".".join(parts) or "body"

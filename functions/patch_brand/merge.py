"""JSON Merge Patch (RFC 7396) on the fields of a brand that callers write."""

from __future__ import annotations

from email.message import Message
from typing import TYPE_CHECKING, Any

from functions.shared.brand_draft import draft_of
from functions.shared.brand_view import PUBLIC_ATTRIBUTES
from functions.shared.brand_writes import FIELDS
from functions.shared.write_errors import InvalidBrandError, UnsupportedMediaTypeError

if TYPE_CHECKING:
    from functions.shared.brand_draft import BrandDraft

MEDIA_TYPES = ("application/merge-patch+json", "application/json")
_READ_ONLY = frozenset(PUBLIC_ATTRIBUTES) - frozenset(FIELDS)


def require_media_type(content_type: str | None) -> None:
    """Raise UnsupportedMediaTypeError for a body that is not said to be a merge patch.

    A body without a type is refused, too: curl's default and none look alike behind some doors.
    """
    header = Message()
    header["Content-Type"] = content_type or "application/octet-stream"
    if header.get_content_type() not in MEDIA_TYPES:
        raise UnsupportedMediaTypeError(MEDIA_TYPES)


def merge(target: Any, patch: Any) -> Any:
    """`target` after `patch`, as RFC 7396, 2 defines it; neither is changed.

    >>> merge({"a": "b", "c": {"d": "e", "f": "g"}}, {"a": "z", "c": {"f": None}})
    {'a': 'z', 'c': {'d': 'e'}}

    Raises:
        RecursionError: The patch is nested too deeply.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def patched(current: dict[str, Any], patch: Any) -> BrandDraft:
    """The brand that comes of a patch.

    Args:
        current: The present item.
        patch: JSON. It may name what callers write, and nothing that the platform computes.

    Raises:
        InvalidBrandError: The result is no brand.
    """
    if isinstance(patch, dict) and (named := sorted(_READ_ONLY & patch.keys())):
        message = "is computed by the platform and cannot be changed"
        raise InvalidBrandError([{"field": name, "message": message} for name in named])
    target = {field: current[field] for field in FIELDS if field in current}
    try:
        return draft_of(merge(target, patch))
    except RecursionError as error:
        raise InvalidBrandError([{"field": "body", "message": "is nested too deeply"}]) from error

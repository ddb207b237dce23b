"""Entity tags and conditional requests (RFC 9110, 8.8.3 and 13)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from functions.shared.http import Request, dump, header_of

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\U0010ffff]*"'
# A recipient accepts empty elements, as in `"a", , "b"` (5.6.1.2).
_LIST = re.compile(rf"[ \t]*(?:{_TAG})?[ \t]*(?:,[ \t]*(?:{_TAG})?[ \t]*)*")
_ONE = re.compile(_TAG)

Tags = tuple[str, ...] | Literal["*"]


class MalformedConditionError(ValueError):
    """A condition is not what RFC 9110 allows. The message is a sentence for the caller."""


def entity_tag(representation: object, version: object = None) -> str:
    """A strong entity tag: equal for equal representations, and for no others.

    A digest is in it beside the version: other functions write a brand's palette and logo without
    a new version, and a brand that is deleted and made anew may get an old one.
    """
    digest = hashlib.sha256(dump(representation, sort_keys=True).encode()).hexdigest()[:16]
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'


def brand_tag(view: dict[str, Any]) -> str:
    """The entity tag of a brand as the outside sees it."""
    return entity_tag(view, view.get("version", 0))


@dataclass(frozen=True)
class Conditions:
    """The conditions of a request; None for one that it does not have."""

    if_match: Tags | None = None
    if_none_match: Tags | None = None

    @classmethod
    def of(cls, request: Request) -> Conditions:
        """Read the headers `If-Match` and `If-None-Match`.

        Raises:
            MalformedConditionError: One of them is neither `*` nor a list of entity tags.
        """
        return cls(_tags(request, "If-Match"), _tags(request, "If-None-Match"))

    def unmet(self, current: str | None) -> Literal["If-Match", "If-None-Match"] | None:
        """The condition that does not hold, in the order of RFC 9110, 13.2.2.

        Args:
            current: The present representation's entity tag, None when there is none.
        """
        if self.if_match is not None and not _match(self.if_match, current, weak=False):
            return "If-Match"
        if self.if_none_match is not None and _match(self.if_none_match, current, weak=True):
            return "If-None-Match"
        return None


def _tags(request: Request, name: str) -> Tags | None:
    value = header_of(request, name)
    if value is None:
        return None
    if value.strip(" \t") == "*":
        return "*"
    if not _LIST.fullmatch(value):
        raise MalformedConditionError(
            f'{name} must be * or a list of entity tags, each in quotes, like "3-5f0a9c2b7d1e4f60"'
        )
    return tuple(_ONE.findall(value))


def _match(tags: Tags, current: str | None, *, weak: bool) -> bool:
    """Compare strongly, where a weak tag equals nothing, or weakly, where `W/` does not count."""
    if current is None:
        return False
    if tags == "*":
        return True
    candidates: Iterable[str] = (tag.removeprefix("W/") for tag in tags) if weak else tags
    return current in candidates

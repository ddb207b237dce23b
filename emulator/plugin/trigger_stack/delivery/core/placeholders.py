"""Placeholders of an input template, such as ``<name>``, and whether they stand within quotes.

EventBridge's rules and pipes both have such templates; what a placeholder may be called, and what
is written in its place, differs.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable


def fill(template: str, placeholder: re.Pattern[str], write: Callable[[str, bool], str]) -> str:
    """A template with something in the place of each placeholder.

    Args:
        template: The template.
        placeholder: Finds a placeholder; its first group is the name.
        write: Gives the text for a name, and is told whether it stands within quotes.
    """
    parts: list[str] = []
    at, quoted = 0, False
    for match in placeholder.finditer(template):
        text = template[at : match.start()]
        quoted = _quoted_after(text, quoted)
        parts += (text, write(match[1], quoted))
        at = match.end()
    return "".join((*parts, template[at:]))


@functools.lru_cache(maxsize=256)
def is_json(template: str, placeholder: re.Pattern[str]) -> bool:
    """Whether a template is JSON when its placeholders are filled in."""
    try:
        json.loads(fill(template, placeholder, lambda _, quoted: "" if quoted else "0"))
    except (ValueError, RecursionError):
        return False
    return True


def _quoted_after(text: str, quoted: bool) -> bool:
    escaped = False
    for character in text:
        if character == '"' and not escaped:
            quoted = not quoted
        escaped = character == "\\" and not escaped
    return quoted

"""JSONPath as API Gateway's mapping templates have it.

API Gateway uses Jayway's JsonPath for Java. Its README, "Path Examples", "Functions" and "What is
Returned When?": a path with ``..``, a filter, a wildcard, a slice or several indexes is indefinite
and always gives a list; a function at the end of a path gets what the path before it gives.
"""

from __future__ import annotations

import functools
import re
import statistics
from collections.abc import Callable
from typing import Any, Final

from jsonpath_ng.ext.parser import parse

_FUNCTION: Final = re.compile(r"(.+)\.([a-z]+)\(\s*\)\s*", re.DOTALL)
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_INDEFINITE: Final = re.compile(r"\.\.|\*|\?|\[[^\]]*[,:]")


class PathError(Exception):
    """A path that cannot be read, or that cannot be applied to the document."""


def find(document: Any, path: str) -> Any:
    """What a path leads to.

    Args:
        document: Parsed JSON.
        path: For example ``$.items[?(@.price > 1)].name``.

    Returns:
        The value, or a list for an indefinite path; ``None`` when a definite path leads nowhere.

    Raises:
        PathError: The path is malformed, or the document is not what a function needs.
    """
    function = _FUNCTION.fullmatch(path.strip())
    if function is not None and function[2] in _FUNCTIONS:
        value = find(document, function[1])
        if value is None:
            return None
        try:
            return _FUNCTIONS[function[2]](value)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise PathError(f"{path}: {error}") from error
    try:
        found = [match.value for match in _parse(path.strip()).find(document)]
    except Exception as error:  # the library has no class for what its parser raises
        raise PathError(f"{path}: {error}") from error
    if is_indefinite(path):
        return found
    return found[0] if found else None


def is_indefinite(path: str) -> bool:
    """Whether a path always gives a list."""
    # A key may have any character between quotes, and several keys are several values.
    return _INDEFINITE.search(_QUOTED.sub("x", path)) is not None


@functools.lru_cache(maxsize=256)
def _parse(path: str) -> Any:
    return parse(path)


def _numbers(value: Any) -> list[float]:
    numbers = [one for one in value if isinstance(one, int | float) and not isinstance(one, bool)]
    if not isinstance(value, list) or not numbers:
        raise ValueError("a function for numbers needs a list of numbers")
    return numbers


def _length(value: Any) -> int:
    if not isinstance(value, list | dict | str):
        raise TypeError("neither a list nor a map nor a text has a length")
    return len(value)


_FUNCTIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "avg": lambda value: float(statistics.fmean(_numbers(value))),
    "keys": lambda value: list(value.keys()) if isinstance(value, dict) else None,
    "length": _length,
    "max": lambda value: float(max(_numbers(value))),
    "min": lambda value: float(min(_numbers(value))),
    "size": _length,
    "stddev": lambda value: statistics.pstdev(_numbers(value)),
    "sum": lambda value: float(sum(_numbers(value))),
}

"""The operators and the loop of Velocity's templates, for Python's values.

Apache Velocity 1.7, ``ASTAddNode``, ``ASTMathNode``, ``ASTDivNode``, ``ASTModNode``, ``ASTEQNode``
and ``ASTGTNode``: ``+`` with a text on one side puts texts together; arithmetic with anything else
than numbers, and a division by zero, have no value; values of different types are equal when their
texts are; what cannot be compared is neither smaller nor greater. Apache Velocity User Guide,
"Foreach Loop": a loop over a map is over its values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from trigger_stack.services.apigateway import java_values

type _Number = int | float


def elements(value: Any) -> list[Any]:
    """What ``#foreach`` goes through: nothing for what is no collection."""
    match value:
        case dict():
            return list(value.values())
        case list() | tuple() | range():
            return list(value)
    return []


def add(left: Any, right: Any) -> Any:
    """``+``."""
    if isinstance(left, str) or isinstance(right, str):
        return _text(left) + _text(right)
    return _calculate(left, right, lambda a, b: a + b)


def subtract(left: Any, right: Any) -> Any:
    """``-``."""
    return _calculate(left, right, lambda a, b: a - b)


def multiply(left: Any, right: Any) -> Any:
    """``*``."""
    return _calculate(left, right, lambda a, b: a * b)


def divide(left: Any, right: Any) -> Any:
    """``/``: a whole number for whole numbers, cut off towards zero."""
    return _calculate(left, right, _quotient)


def modulo(left: Any, right: Any) -> Any:
    """``%``: its sign is that of the left side."""
    return _calculate(left, right, _remainder)


def is_equal(left: Any, right: Any) -> bool:
    """``==``."""
    if left is None or right is None:
        return left is right
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    if type(left) is type(right):
        return java_values.equals(left, right)
    return java_values.to_text(left) == java_values.to_text(right)


def differs(left: Any, right: Any) -> bool:
    """``!=``."""
    return not is_equal(left, right)


def _comparing(compare: Callable[[_Number, _Number], bool]) -> Callable[[Any, Any], bool]:
    def compared(left: Any, right: Any) -> bool:
        return _is_number(left) and _is_number(right) and compare(left, right)

    return compared


_greater: Final = _comparing(lambda a, b: a > b)
_greater_or_equal: Final = _comparing(lambda a, b: a >= b)
_smaller: Final = _comparing(lambda a, b: a < b)
_smaller_or_equal: Final = _comparing(lambda a, b: a <= b)

OPERATORS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "==": is_equal,
    "eq": is_equal,
    "!=": differs,
    "ne": differs,
    ">": _greater,
    "gt": _greater,
    ">=": _greater_or_equal,
    "ge": _greater_or_equal,
    "<": _smaller,
    "lt": _smaller,
    "<=": _smaller_or_equal,
    "le": _smaller_or_equal,
}


def _calculate(left: Any, right: Any, operate: Callable[[_Number, _Number], Any]) -> Any:
    return operate(left, right) if _is_number(left) and _is_number(right) else None


def _quotient(left: _Number, right: _Number) -> _Number | None:
    if right == 0:
        return None
    if isinstance(left, int) and isinstance(right, int):
        size = abs(left) // abs(right)
        return size if (left < 0) == (right < 0) else -size
    return left / right


def _remainder(left: _Number, right: _Number) -> _Number | None:
    if right == 0:
        return None
    if isinstance(left, int) and isinstance(right, int):
        return left - right * int(_quotient(left, right) or 0)
    return math.fmod(left, right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return "" if value is None else java_values.to_text(value)

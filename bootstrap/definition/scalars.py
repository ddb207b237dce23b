"""Numbers and truth values as JavaScript, the framework's language, reads and writes them.

ECMAScript, "Number.prototype.toString". JavaScript has one kind of number, so ``1.0`` is ``1``.
"""

from __future__ import annotations

from decimal import Decimal

#: From here on JavaScript writes an exponent.
_MOST = 10**21
_LEAST = 1e-6
#: Whole numbers up to here are exact.
_EXACT = 2**53


def number(value: float) -> int | float:
    """The number that JavaScript has for one that is written down; it must be finite."""
    if isinstance(value, int):
        if abs(value) <= _EXACT:
            return value
        value = float(value)
    if value.is_integer() and abs(value) < _MOST:
        return int(Decimal(repr(value)))
    return value


def as_text(value: object) -> str:
    """A number, a truth value or a text as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    if value.is_integer() and abs(value) < _MOST:
        return str(int(Decimal(repr(value))))
    if _LEAST <= abs(value) < _MOST:
        return format(Decimal(repr(value)), "f")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa}e{int(exponent):+d}" if exponent else mantissa

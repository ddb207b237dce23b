"""The shapes of CloudFormation properties, and what is wrong with a value that has another.

A shape is a function ``shape(value)`` that returns every :class:`Finding`. CloudFormation
functions (``Ref``, ``Fn::GetAtt``, ``Fn::Sub``, ``Fn::Join``) stand for text that is not known yet
and fit every shape but a list of mappings' own items.

What AWS's schema of a resource type says need not be said again: see :func:`as_aws`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bootstrap.errors import did_you_mean


class Finding(NamedTuple):
    """A problem, and its place below the checked value.

    Attributes:
        meant: the number or truth value that a text says, which CloudFormation takes for it.
    """

    message: str
    path: tuple[str | int, ...] = ()
    meant: bool | int | float | str | None = None


#: Longer numbers fit nowhere in AWS, and Python refuses to read very long ones.
_MOST_DIGITS = 19

#: How text says a number, and a truth value.
_WHOLE = re.compile(rf"-?[0-9]{{1,{_MOST_DIGITS}}}")
_NUMBER = re.compile(rf"-?[0-9]{{1,{_MOST_DIGITS}}}(\.[0-9]{{1,{_MOST_DIGITS}}})?")
_FLAGS = {"true": True, "false": False}

type Problems = Sequence[Finding]
type Shape = Callable[[Any], Problems]


def is_function(value: Any) -> bool:
    """Whether a value is a CloudFormation function: ``{"Ref": …}``, ``{"Fn::…": …}``."""
    return isinstance(value, dict) and any(k == "Ref" or k.startswith("Fn::") for k in value)


#: Stands for a value that AWS gives only when the resource is made: of Unicode's private use area,
#: so that nothing that AWS returns has it.
UNKNOWN = "\ue000"


def is_unknown(value: Any) -> bool:
    """Whether a value, or a part of a text, is not known yet."""
    return isinstance(value, str) and UNKNOWN in value


def _one(message: str, meant: float | str | None = None) -> Problems:
    return (Finding(message, (), meant),)


def may_be_meant(value: Any) -> bool:
    """Whether a value has a number or a truth value anywhere, also as text."""
    if isinstance(value, int):
        return True
    if isinstance(value, str):
        return value.lower() in _FLAGS or _NUMBER.fullmatch(value) is not None
    inner = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list) and any(map(may_be_meant, inner))


def below(key: str | int, problems: Iterable[Finding]) -> Iterator[Finding]:
    """The problems of what stands under a key, as problems of what has the key."""
    return (one._replace(path=(key, *one.path)) for one in problems)


def missing(
    required: Iterable[str], given: Iterable[str], unknown: Sequence[str]
) -> Iterator[Finding]:
    """What is required and not given, unless one of the ``unknown`` keys is it, misspelt."""
    for key in sorted({*required} - {*given}):
        if not any(did_you_mean(other, [key]) for other in unknown):
            yield Finding(f"needs {key}")


def as_aws(value: Any) -> Problems:
    """As AWS's schema of the resource type has it, which says what is wrong."""
    return ()


def all_as_aws(*names: str) -> dict[str, Shape]:
    """Properties that are as AWS's schema of their resource type has them."""
    return dict.fromkeys(names, as_aws)


def shown(value: Any) -> str:
    """A value in a sentence."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else f"“{value}”"


def text(value: Any) -> Problems:
    """Text; a whole number or a truth value is meant as one, as by CloudFormation."""
    if isinstance(value, str) or is_function(value):
        return ()
    meant = None
    if isinstance(value, int) and abs(value) < 10**_MOST_DIGITS:
        meant = str(value).lower() if isinstance(value, bool) else str(value)
    return _one(f"must be text, not {shown(value)}; write text in quotes", meant)


def flag(value: Any) -> Problems:
    """``true`` or ``false``."""
    if isinstance(value, bool) or is_function(value):
        return ()
    meant = _FLAGS.get(value.lower()) if isinstance(value, str) else None
    return _one(f"must be true or false, not {shown(value)}", meant)


def number(low: int | None = None, high: int | None = None) -> Shape:
    """A whole number."""

    def check(value: Any) -> Problems:
        if is_function(value):
            return ()
        if isinstance(value, bool) or not isinstance(value, int):
            if isinstance(value, str) and value.isdecimal() and len(value) > _MOST_DIGITS:
                return _one(f"must have {_MOST_DIGITS} digits or fewer")
            digits = isinstance(value, str) and _WHOLE.fullmatch(value)
            meant = int(value) if digits else None
            return _one(f"must be a whole number, not {shown(value)}", meant)
        if abs(value) >= 10**_MOST_DIGITS:
            return _one(f"must have {_MOST_DIGITS} digits or fewer")
        if (low is not None and value < low) or (high is not None and value > high):
            wanted = f"{low} or more" if high is None else f"{low} to {high}"
            return _one(f"must be {wanted}, not {value}")
        return ()

    return check


def any_number(value: Any) -> Problems:
    """A number, with a fraction or without."""
    if is_function(value) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return ()
    meant: float | None = None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        meant = int(value) if _WHOLE.fullmatch(value) else float(value)
    return _one(f"must be a number, not {shown(value)}", meant)


def one_of(*values: str) -> Shape:
    """One of some texts."""

    def check(value: Any) -> Problems:
        if value in values or is_function(value):
            return ()
        meant = did_you_mean(value, values) if isinstance(value, str) else ""
        sentence = f"must be {' or '.join(values)}, not {shown(value)}"
        return _one(f"{sentence}.{meant}" if meant else sentence)

    return check


def list_of(item: Shape) -> Shape:
    """A list of values of one shape."""

    def check(value: Any) -> Problems:
        if not isinstance(value, list):
            return _one(f"must be a list, not {shown(value)}")
        return [one for key, entry in enumerate(value) for one in below(key, item(entry))]

    return check


def any_mapping(value: Any) -> Problems:
    """A mapping with any content, such as a policy document."""
    if isinstance(value, dict) and not is_function(value):
        return ()
    what = "a CloudFormation function" if isinstance(value, dict) else shown(value)
    return _one(f"must be a mapping, not {what}")


def text_or_mapping(value: Any) -> Problems:
    """JSON, as text or written out as a mapping."""
    if isinstance(value, str | dict):
        return ()
    return _one(f"must be text or a mapping, not {shown(value)}")


def mapping_of(item: Shape) -> Shape:
    """A mapping from any name to values of one shape."""

    def check(value: Any) -> Problems:
        if problems := any_mapping(value):
            return problems
        return [one for key, entry in value.items() for one in below(key, item(entry))]

    return check


def mapping(
    required: Mapping[str, Shape],
    optional: Mapping[str, Shape] | None = None,
    *,
    open: bool = False,
) -> Shape:
    """A mapping with known keys.

    Args:
        open: other keys may be there, too; AWS's API looks at them.
    """
    known = {**required, **(optional or {})}

    def check(value: Any) -> Problems:
        if problems := any_mapping(value):
            return problems
        unknown = [] if open else sorted(value.keys() - known.keys())
        found = [Finding(_not_supported(key, known), (key,)) for key in unknown]
        found += missing(required, value, unknown)
        for key, entry in value.items():
            if key in known:
                found += below(key, known[key](entry))
        return found

    return check


def _not_supported(key: str, known: Iterable[str]) -> str:
    meant = did_you_mean(key, known)
    sentence = f"is not supported here. Supported: {', '.join(sorted(known))}"
    return f"{sentence}.{meant}" if meant else sentence

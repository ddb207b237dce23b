"""The methods of Java's String, Map, List, numbers and booleans, for Python's values.

API Gateway renders mapping templates with Apache Velocity, where a template calls the methods of
Java's own values. AWS topic: API Gateway Developer Guide, "Mapping template transformations";
Apache Velocity User Guide, "References"; Java API, ``java.lang.String``, ``java.util.Map`` and
``java.util.List``.

A value has the type that Java's JSON parser would give it: text, whole numbers, numbers with a
fraction, booleans, lists and maps. Keys, values and entries of a map are lists here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

type _Methods = Mapping[str, Callable[..., Any]]


class JavaError(Exception):
    """A method that would throw an exception in Java; the template cannot be rendered."""


@dataclass
class Entry:
    """One entry of a map.

    Attributes:
        key: Its key.
        value: Its value.
    """

    key: Any
    value: Any

    def __str__(self) -> str:
        return f"{to_text(self.key)}={to_text(self.value)}"


def is_value(value: object) -> bool:
    """Whether a value is one that ``call`` and ``read`` know."""
    return isinstance(value, str | bool | int | float | list | tuple | range | dict | Entry)


def call(target: Any, name: str, arguments: list[Any]) -> Any:
    """The result of a method.

    Args:
        target: A value of which ``is_value`` holds.
        name: Name of the method.
        arguments: What the template gives it.

    Returns:
        The result; ``None`` when Java has no such method, as in Velocity.

    Raises:
        JavaError: Java would throw an exception.
    """
    method = _methods_of(target).get(name)
    if method is None:
        return None
    try:
        return method(target, *arguments)
    except JavaError:
        raise
    except (
        *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError, re.error),
    ) as error:
        raise JavaError(f"{name}: {error}") from error


def read(target: Any, name: str) -> Any:
    """The value of ``$target.name``: a key of a map, or what a getter returns.

    Args:
        target: A value of which ``is_value`` holds.
        name: Name of the key or property.

    Returns:
        The value; ``None`` when there is none.
    """
    if isinstance(target, dict):
        found = target.get(name)
        # Velocity asks get(name) of a map before isEmpty().
        return not target if found is None and name == "empty" else found
    if isinstance(target, Entry):
        return {"key": target.key, "value": target.value}.get(name)
    if name == "empty" and isinstance(target, str | list | tuple):
        return not target
    return None


def to_text(value: Any) -> str:
    """A value as Java's ``toString`` writes it: ``{a=1, b=x}``, ``[1, 2]``, ``true``, ``null``."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{to_text(k)}={to_text(v)}" for k, v in value.items()) + "}"
        case list() if type(value).__str__ is not list.__str__:
            return str(value)  # a list of a JSON parser, which writes itself as JSON
        case list() | tuple() | range():
            return "[" + ", ".join(to_text(one) for one in value) + "]"
        case _:
            return str(value)


def equals(one: Any, other: Any) -> bool:
    """Java's ``equals``: values of different types are never equal."""
    match one:
        case bool() | None:
            return one is other
        case str():
            return isinstance(other, str) and str(one) == str(other)
        case int() | float():
            return type(one) is type(other) and one == other
        case list() | tuple():
            return (
                isinstance(other, list | tuple)
                and len(one) == len(other)
                and all(equals(a, b) for a, b in zip(one, other, strict=True))
            )
        case dict():
            return (
                isinstance(other, dict)
                and len(one) == len(other)
                and all(key in other and equals(one[key], other[key]) for key in one)
            )
        case Entry():
            return (
                isinstance(other, Entry)
                and equals(one.key, other.key)
                and equals(one.value, other.value)
            )
        case _:
            return one is other


def hash_code(value: Any) -> int:
    """Java's ``hashCode``."""
    match value:
        case bool():
            return 1231 if value else 1237
        case str():
            result = 0
            units = value.encode("utf-16-be", "surrogatepass")
            for at in range(0, len(units), 2):
                result = _as_int(31 * result + int.from_bytes(units[at : at + 2], "big"))
            return result
        case int():
            whole = value & 0xFFFFFFFFFFFFFFFF
            return _as_int(value) if -(2**31) <= value < 2**31 else _as_int(whole ^ (whole >> 32))
        case list() | tuple():
            result = 1
            for one in value:
                result = _as_int(31 * result + hash_code(one))
            return result
        case dict():
            return _as_int(sum(hash_code(k) ^ hash_code(v) for k, v in value.items()))
        case Entry():
            return hash_code(value.key) ^ hash_code(value.value)
        case _:
            return 0 if value is None else hash(value) & 0x7FFFFFFF


def _as_int(number: int) -> int:
    """A number as Java's ``int`` keeps it."""
    return (number + 2**31) % 2**32 - 2**31


def _methods_of(target: Any) -> _Methods:
    match target:
        case bool():
            return _BOOLEAN
        case int() | float():
            return _NUMBER
        case str():
            return _STRING
        case dict():
            return _MAP
        case Entry():
            return _ENTRY
        case _:
            return _LIST


# -- regular expressions ------------------------------------------------------------------------

_POSIX: Final = {
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
    "ASCII": r"\x00-\x7f",
    "Blank": r" \t",
    "Cntrl": r"\x00-\x1f\x7f",
    "Digit": "0-9",
    "Graph": r"\x21-\x7e",
    "Lower": "a-z",
    "Print": r"\x20-\x7e",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r" \t\n\x0b\f\r",
    "Upper": "A-Z",
    "XDigit": "0-9a-fA-F",
}
_SHORT: Final = {"h": _POSIX["Blank"], "R": r"\r\n", "z": r"\Z", "Z": r"(?=\n?\Z)"}


def _compile(pattern: str) -> re.Pattern[str]:
    """A regular expression of Java, as Python writes it."""
    out: list[str] = []
    in_class = False
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            text, at = _escape(pattern, at, in_class=in_class)
            out.append(text)
            continue
        if pattern.startswith("(?<", at) and pattern[at + 3 : at + 4] not in ("=", "!"):
            out.append("(?P<")
            at += 3
            continue
        if char == "[" and in_class:
            char = r"\["
        elif char == "[":
            in_class = True
        elif char == "]":
            in_class = False
        out.append(char)
        at += 1
    # Java's \d, \w and \s know ASCII only.
    return re.compile("".join(out), re.ASCII)


def _escape(pattern: str, at: int, *, in_class: bool) -> tuple[str, int]:
    """An escape of a regular expression, and where what follows it begins."""
    name = pattern[at + 1 : at + 2]
    if name == "Q":
        end = pattern.find("\\E", at)
        end = len(pattern) if end < 0 else end
        return re.escape(pattern[at + 2 : end]), end + 2
    if found := re.compile(r"\\([pP])\{(\w+)\}").match(pattern, at):
        members = _POSIX.get(found[2])
        if members is None:
            raise JavaError(f"unknown character class {found[0]}")
        if in_class and found[1] == "P":
            raise JavaError(f"unknown character class {found[0]} in a character class")
        negated = "^" if found[1] == "P" else ""
        return members if in_class else f"[{negated}{members}]", found.end()
    if name in _SHORT:
        members = _SHORT[name]
        is_class = name in ("h", "R")
        return f"[{members}]" if is_class and not in_class else members, at + 2
    if name and not name.isalnum():
        return re.escape(name), at + 2
    return pattern[at : at + 2], at + 2


def _replacement(text: str) -> Callable[[re.Match[str]], str]:
    r"""What Java's ``$1``, ``${name}`` and ``\$`` of a replacement stand for."""

    def expand(match: re.Match[str]) -> str:
        out: list[str] = []
        at = 0
        while at < len(text):
            char = text[at]
            if char == "\\":
                if at + 1 == len(text):
                    raise JavaError("character to be escaped is missing")
                out.append(text[at + 1])
                at += 2
            elif char == "$":
                found = re.compile(r"\$(?:(\d)|\{(\w+)\})").match(text, at)
                if found is None:
                    raise JavaError("illegal group reference")
                out.append(match[int(found[1]) if found[1] else found[2]] or "")
                at = found.end()
            else:
                out.append(char)
                at += 1
        return "".join(out)

    return expand


def _split(text: str, pattern: str, limit: int = 0) -> list[str]:
    parts: list[str] = []
    begin = 0
    for match in _compile(pattern).finditer(text):
        if limit > 0 and len(parts) == limit - 1:
            break
        if match.end() == 0 or (match.start() == match.end() == len(text)):
            continue  # an empty match at the begin or the end splits nothing
        parts.append(text[begin : match.start()])
        begin = match.end()
    if not parts:
        return [text]
    parts.append(text[begin:])
    while limit == 0 and parts and not parts[-1]:
        parts.pop()
    return parts


# -- texts --------------------------------------------------------------------------------------


def _needle(value: Any) -> str:
    """An argument of ``indexOf``, where Java takes a text or a character's number."""
    return chr(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _substring(text: str, begin: int, end: int | None = None) -> str:
    end = len(text) if end is None else end
    if not 0 <= begin <= end <= len(text):
        raise JavaError(f"begin {begin}, end {end}, length {len(text)}")
    return text[begin:end]


def _char_at(text: str, index: int) -> str:
    if not 0 <= index < len(text):
        raise JavaError(f"index {index}, length {len(text)}")
    return text[index]


def _last_index(text: str, value: Any, begin: int | None = None) -> int:
    needle = _needle(value)
    return text.rfind(needle) if begin is None else text.rfind(needle, 0, begin + len(needle))


def _compare_text(one: str, other: str) -> int:
    for a, b in zip(one, other, strict=False):
        if a != b:
            return ord(a) - ord(b)
    return len(one) - len(other)


def _format(template: str, *arguments: Any) -> str:
    return template % tuple(
        one if isinstance(one, int | float) and not isinstance(one, bool) else to_text(one)
        for one in arguments
    )


def _strip(text: str) -> str:
    """Java's ``trim``, which takes control characters too."""
    return text.strip("".join(map(chr, range(33))))


def _is_equal_ignoring_case(text: str, other: Any) -> bool:
    return isinstance(other, str) and text.casefold() == other.casefold()


_ANY: Final[_Methods] = {
    "equals": equals,
    "hashCode": hash_code,
    "toString": to_text,
}
_STRING: Final[_Methods] = {
    **_ANY,
    "charAt": _char_at,
    "compareTo": _compare_text,
    "compareToIgnoreCase": lambda text, other: _compare_text(text.lower(), other.lower()),
    "concat": lambda text, other: str(text) + other,
    "contains": lambda text, other: str(other) in text,
    "contentEquals": equals,
    "endsWith": lambda text, end: text.endswith(end),
    "equalsIgnoreCase": _is_equal_ignoring_case,
    "format": lambda _, template, *arguments: _format(template, *arguments),
    "indexOf": lambda text, value, begin=0: text.find(_needle(value), max(begin, 0)),
    "isBlank": lambda text: not text.strip(),
    "isEmpty": lambda text: not text,
    "join": lambda _, separator, *parts: separator.join(
        map(to_text, parts[0] if len(parts) == 1 and isinstance(parts[0], list) else parts)
    ),
    "lastIndexOf": _last_index,
    "length": len,
    "matches": lambda text, pattern: _compile(pattern).fullmatch(text) is not None,
    "repeat": lambda text, count: str(text) * count,
    "replace": lambda text, old, new: text.replace(_needle(old), _needle(new)),
    "replaceAll": lambda text, pattern, new: _compile(pattern).sub(_replacement(new), text),
    "replaceFirst": lambda text, pattern, new: _compile(pattern).sub(
        _replacement(new), text, count=1
    ),
    "split": _split,
    "startsWith": lambda text, begin, at=0: at >= 0 and text.startswith(begin, at),
    "strip": lambda text: text.strip(),
    "substring": _substring,
    "toLowerCase": lambda text: text.lower(),
    "toUpperCase": lambda text: text.upper(),
    "trim": _strip,
    "valueOf": lambda _, value: to_text(value),
}

# -- numbers and booleans -----------------------------------------------------------------------


def _number(text: Any) -> int:
    if not isinstance(text, str) or not re.fullmatch(r"[+-]?[0-9]+", text):
        raise JavaError(f"For input string: {json.dumps(text)}")
    return int(text)


def _value_of(number: float, value: Any) -> int | float:
    if isinstance(number, float):
        return float(value)
    return _number(value) if isinstance(value, str) else int(value)


_NUMBER: Final[_Methods] = {
    **_ANY,
    "compareTo": lambda number, other: (number > other) - (number < other),
    "doubleValue": float,
    "floatValue": float,
    "intValue": lambda number: _as_int(int(number)),
    "longValue": int,
    "parseDouble": lambda _, text: float(text),
    "parseInt": lambda _, text: _number(text),
    "parseLong": lambda _, text: _number(text),
    "valueOf": _value_of,
}
_BOOLEAN: Final[_Methods] = {
    **_ANY,
    "booleanValue": bool,
    "compareTo": lambda value, other: int(value) - int(other),
    "parseBoolean": lambda _, text: str(text).lower() == "true",
    "valueOf": lambda _, value: to_text(value).lower() == "true",
}

# -- maps and lists -----------------------------------------------------------------------------


def _put(target: dict[Any, Any], key: Any, value: Any) -> Any:
    before = target.get(key)
    target[key] = value
    return before


def _put_if_absent(target: dict[Any, Any], key: Any, value: Any) -> Any:
    before = target.get(key)
    if before is None:
        target[key] = value
    return before


def _get_or_default(target: dict[Any, Any], key: Any, default: Any) -> Any:
    return target.get(key, default)


_MAP: Final[_Methods] = {
    **_ANY,
    "clear": lambda target: target.clear(),
    "containsKey": lambda target, key: key in target,
    "containsValue": lambda target, value: any(equals(value, one) for one in target.values()),
    "entrySet": lambda target: [Entry(key, value) for key, value in target.items()],
    "get": lambda target, key: target.get(key),
    "getOrDefault": _get_or_default,
    "isEmpty": lambda target: not target,
    "keySet": list,
    "put": _put,
    "putAll": lambda target, other: target.update(other),
    "putIfAbsent": _put_if_absent,
    "remove": lambda target, key: target.pop(key, None),
    "size": len,
    "values": lambda target: list(target.values()),
}
_ENTRY: Final[_Methods] = {
    **_ANY,
    "getKey": lambda entry: entry.key,
    "getValue": lambda entry: entry.value,
}


def _at(target: list[Any], index: int) -> int:
    if not 0 <= index < len(target):
        raise JavaError(f"Index {index} out of bounds for length {len(target)}")
    return index


def _index(target: list[Any], value: Any) -> int:
    return next((at for at, one in enumerate(target) if equals(value, one)), -1)


def _last_index_of(target: list[Any], value: Any) -> int:
    return next((at for at in reversed(range(len(target))) if equals(value, target[at])), -1)


def _add(target: list[Any], *arguments: Any) -> bool | None:
    if len(arguments) == 2:
        index, value = arguments
        if not 0 <= index <= len(target):
            raise JavaError(f"Index: {index}, Size: {len(target)}")
        target.insert(index, value)
        return None
    (value,) = arguments
    target.append(value)
    return True


def _add_all(target: list[Any], other: list[Any]) -> bool:
    target.extend(other)
    return bool(other)


def _set(target: list[Any], index: int, value: Any) -> Any:
    before = target[_at(target, index)]
    target[index] = value
    return before


def _remove(target: list[Any], value: Any) -> Any:
    """Java removes by index when it gets an ``int``, and else by value."""
    if isinstance(value, int) and not isinstance(value, bool):
        return target.pop(_at(target, value))
    at = _index(target, value)
    if at >= 0:
        target.pop(at)
    return at >= 0


def _sub_list(target: list[Any], begin: int, end: int) -> list[Any]:
    if not 0 <= begin <= end <= len(target):
        raise JavaError(f"begin {begin}, end {end}, length {len(target)}")
    return target[begin:end]


_LIST: Final[_Methods] = {
    **_ANY,
    "add": _add,
    "addAll": _add_all,
    "clear": lambda target: target.clear(),
    "contains": lambda target, value: _index(target, value) >= 0,
    "containsAll": lambda target, other: all(_index(target, one) >= 0 for one in other),
    "get": lambda target, index: target[_at(target, index)],
    "indexOf": _index,
    "isEmpty": lambda target: not target,
    "lastIndexOf": _last_index_of,
    "remove": _remove,
    "set": _set,
    "size": len,
    "subList": _sub_list,
}

"""Checks what a definition file says against a pydantic model, and names what is wrong."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bootstrap.definition.document import Document, KeyPath
from bootstrap.definition.scalars import as_text
from bootstrap.errors import DefinitionError, DefinitionErrors, did_you_mean

_LONGEST = 100
#: A literal string, or a CloudFormation function that yields one.
type Reference = str | dict[str, Any]


def is_arn(value: Any) -> bool:
    """Whether a value may be an ARN: a CloudFormation function, or text with an ARN's parts."""
    return not isinstance(value, str) or (value.startswith("arn:") and value.count(":") >= 5)


class Model(BaseModel):
    """A mapping of the file. A key that it does not list is refused: ignored keys are traps.

    The default of a field is made by ``model_construct``: it has nothing to validate, and so
    needs no validator of its own, which takes a while to build.
    """

    # Deferred: most files have triggers of a few types, and need the validators of those alone.
    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, defer_build=True)


def parse[M: BaseModel](
    model: type[M],
    data: Any,
    document: Document,
    path: tuple[str | int, ...],
    *,
    convert: bool = True,
) -> M:
    """Check ``data``, found at ``path``, against ``model``.

    Args:
        convert: a text that says a number or a truth value is one where nothing else fits, a
            number is text, a value alone is a list, and ``null`` is left out, as the framework's
            schemas have it (ajv, ``coerceTypes: array``). Plugins get their settings as is.

    Raises:
        DefinitionErrors: everything wrong, each with its line.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        if not convert:
            raise DefinitionErrors(_problems(error, data, model, document, path)) from None
    left_out: list[KeyPath] = []
    try:
        made = _converted(model, data, _SCALARS, left_out)
    except ValidationError as error:
        try:
            made = _converted(model, data, _SCALARS | _LISTS, left_out := [])
        except ValidationError:  # what was written says more than a list that was made of it
            raise DefinitionErrors(_problems(error, data, model, document, path)) from None
    for keys in left_out:
        document.note("is nothing: it is left out, as by the framework", *path, *keys)
    return made


def _converted[M: BaseModel](
    model: type[M], data: Any, by_error: _Conversions, left_out: list[KeyPath]
) -> M:
    """What ``data`` means.

    Args:
        left_out: gets the keys of what is ``null``.

    Raises:
        ValidationError: what is wrong in spite of that.
    """
    data = copy.deepcopy(data)
    for _ in range(_MOST_CONVERSIONS):
        try:
            return model.model_validate(data)
        except ValidationError as error:
            if not _convert(data, error, by_error, left_out):
                raise
    return model.model_validate(data)


#: A value alone becomes a list, and then what is in it text.
_MOST_CONVERSIONS = 3


def _boolean(value: str | float) -> bool | None:
    return {"true": True, "false": False, 0: False, 1: True}.get(value)


def _whole(value: str | float) -> int | None:
    return int(value) if re.fullmatch(r"-?[0-9]{1,19}", str(value)) else None


def _fraction(value: str | float) -> float | None:
    return float(value) if re.fullmatch(r"-?[0-9]{1,19}(\.[0-9]{1,19})?", str(value)) else None


#: What a text, a number or a truth value is where pydantic wants another type, by the type of its
#: error; None where it is nothing.
type _Conversions = dict[str, Callable[[Any], Any]]
_SCALARS: _Conversions = {
    "bool_type": _boolean,
    "int_type": _whole,
    "float_type": _fraction,
    "string_type": as_text,
}
_LISTS: _Conversions = {"list_type": lambda value: [value]}


def _convert(
    data: Any, error: ValidationError, by_error: _Conversions, left_out: list[KeyPath]
) -> bool:
    """Put what is meant in the place of what is written, as far as that is known.

    Returns:
        Whether there was any.
    """
    any_ = False
    for problem in error.errors(include_url=False, include_context=False):
        kind, given = problem["type"], problem["input"]
        place = _place_of(data, problem["loc"])
        if place is None or place[0][place[1]] is not given:
            continue
        owner, key = place
        if given is None and isinstance(owner, dict):
            left_out.append(_keys(data, problem))
            del owner[key]
            any_ = True
            continue
        known = kind in by_error and isinstance(given, str | bool | int | float)
        if known and (meant := by_error[kind](given)) is not None:
            owner[key] = meant
            any_ = True
    return any_


def _place_of(data: Any, location: tuple[str | int, ...]) -> tuple[Any, str | int] | None:
    """The container and the key of a value; a location names the members of unions, too."""
    place: tuple[Any, str | int] | None = None
    for part in location:
        if _has(data, part):
            place, data = (data, part), data[part]
    return place


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data


def _keys(data: Any, problem: Any) -> KeyPath:
    """The keys of a problem's location: pydantic adds the names of union members to it.

    What is unknown or missing is a key, even when it is called like a union's member.
    """
    keys: list[str | int] = []
    for part in problem["loc"]:
        if _has(data, part):
            keys.append(part)
            data = data[part]
    if problem["type"] == "missing":
        keys.append(problem["loc"][-1])
    return tuple(keys)


def _problems(
    error: ValidationError,
    data: Any,
    model: type[BaseModel],
    document: Document,
    path: KeyPath,
) -> Iterator[DefinitionError]:
    """Everything wrong, each at its own key; a union's members are told of once."""
    told: set[KeyPath] = set()
    problems = [(_keys(data, problem), problem) for problem in error.errors()]
    misspelt = [p["loc"] for _, p in problems if p["type"] == "extra_forbidden"]
    for location, problem in problems:
        # What is missing is perhaps there, misspelt: then that is what is wrong.
        if problem["type"] == "missing" and any(
            loc[:-1] == problem["loc"][:-1] and _may_mean(str(loc[-1]), str(location[-1]))
            for loc in misspelt
        ):
            continue
        if location in told:
            continue
        # A member of a union that is of another type: one that is of this type says more.
        if str(problem["type"]).endswith("_type") and any(
            len(other) > len(location) and other[: len(location)] == location
            for other, _ in problems
        ):
            continue
        told.add(location)
        name = ".".join(str(part) for part in (*path, *location))
        sentence = _sentence(problem, model, list(location))
        yield document.error(f"{name}: {sentence}", *path, *location)


def _may_mean(written: str, wanted: str) -> bool:
    return wanted.lower() in written.lower() or bool(did_you_mean(written, [wanted]))


def _sentence(problem: Any, model: type[BaseModel], location: list[str | int]) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        owner = _owner(model, location[:-1])
        keys = list(owner.model_fields) if owner else []
        meant = did_you_mean(str(location[-1]), keys)
        shown = f" Supported: {', '.join(keys)}." if keys else ""
        return f"is not supported here.{shown}{meant}"
    if kind == "missing":
        return "is required."
    message = str(problem["msg"])
    given = problem.get("input")
    shown = "" if isinstance(given, dict | list) else f" (found {_shown(given)})"
    meant = ""
    if kind == "literal_error":
        meant = did_you_mean(str(given), re.findall(r"'([^']*)'", message))
    return f"{message[0].lower()}{message[1:]}{shown}.{meant}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _owner(model: type[BaseModel], location: list[str | int]) -> type[BaseModel] | None:
    """The model that a key at ``location`` belongs to, as far as it can be told."""
    current: Any = model
    for part in location:
        field = getattr(current, "model_fields", {}).get(part)
        annotation = field.annotation if field else current
        candidates = _models_in(annotation)
        if not candidates:
            return None
        current = candidates[0]
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for argument in getattr(annotation, "__args__", ()) for m in _models_in(argument)]

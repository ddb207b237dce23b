"""Checks what a definition file says against a pydantic model, and names what is wrong."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bootstrap.definition.document import Document

#: A literal string, or a CloudFormation function that yields one.
type Reference = str | dict[str, Any]


def is_arn(value: Any) -> bool:
    """Whether a value may be an ARN: a CloudFormation function, or text with an ARN's parts."""
    return not isinstance(value, str) or (value.startswith("arn:") and value.count(":") >= 5)


class Model(BaseModel):
    """A mapping of the file. A key that it does not list is refused: ignored keys are traps."""

    # Deferred: most files have triggers of a few types, and need the validators of those alone.
    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True, defer_build=True)


def parse[M: BaseModel](
    model: type[M], data: Any, document: Document, path: tuple[str | int, ...]
) -> M:
    """Check ``data``, found at ``path``, against ``model``.

    Raises:
        DefinitionError: the first thing wrong, with its line.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = sorted(
            error.errors(),
            key=lambda e: document.line([*path, *e["loc"]]) or 0,
        )
        problem = problems[0]
        if problem["type"] == "missing":  # a key beside it that is unknown is how it was misspelt
            beside = [p for p in problems if p["loc"][:-1] == problem["loc"][:-1]]
            problem = next((p for p in beside if p["type"] == "extra_forbidden"), problem)
        location = [part for part in problem["loc"] if _is_key(part)]
        name = ".".join(str(part) for part in (*path, *location))
        document.fail(f"{name}: {_sentence(problem, model, location)}", *path, *location)


def _is_key(part: str | int) -> bool:
    """Pydantic adds the names of union members to a location; they are not keys of the file."""
    return isinstance(part, int) or not (part in ("str", "bool") or part.startswith("dict["))


def _sentence(problem: Any, model: type[BaseModel], location: list[str | int]) -> str:
    kind = problem["type"]
    if kind == "extra_forbidden":
        owner = _owner(model, location[:-1])
        keys = ", ".join(owner.model_fields) if owner else ""
        return f"is not supported here. Supported: {keys}." if keys else "is not supported here."
    if kind == "missing":
        return "is required."
    message = str(problem["msg"])
    given = problem.get("input")
    shown = "" if isinstance(given, dict | list) else f" (found {given!r})"
    return f"{message[0].lower()}{message[1:]}{shown}."


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

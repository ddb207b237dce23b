"""Which route serves a request.

AWS topics: "Create routes for HTTP APIs in API Gateway" (priority: full match, then greedy path
variable, then ``$default``) and "Stages for HTTP APIs" (a named stage is the first path segment).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from trigger_stack_engine.front_doors.core.encoding import percent_decode

DEFAULT: Final = "$default"
"""Key of the route, and name of the stage, that catches everything else."""

METHODS: Final = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

_VARIABLE = re.compile(r"\{([A-Za-z0-9._-]+)(\+?)\}")
_LITERAL = re.compile(r"[^{}\s]*")

#: Paths whose routes are remembered: the same ones are asked for again and again.
_MOST_KNOWN = 1000
_LONGEST_KNOWN = 256
_LITERAL_KIND, _VARIABLE_KIND, _GREEDY_KIND = range(3)


class InvalidRouteKeyError(ValueError):
    """A route key that HTTP APIs do not take; the text says what they take."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a route's path between slashes: ``brand``, ``{brandId}`` or ``{proxy+}``."""

    kind: int
    text: str


@dataclass(frozen=True, slots=True)
class RouteKey:
    """A parsed route key. ``method`` and ``segments`` of ``$default`` are empty."""

    key: str
    method: str = ""
    path: str = ""
    segments: tuple[Segment, ...] = ()

    @property
    def is_default(self) -> bool:
        """Whether this is the catch-all route."""
        return self.key == DEFAULT

    @property
    def is_greedy(self) -> bool:
        """Whether the path ends in ``{name+}``."""
        return bool(self.segments) and self.segments[-1].kind == _GREEDY_KIND

    @property
    def specificity(self) -> tuple[bool, tuple[int, ...], bool]:
        """Sort key: smaller is chosen first among routes that match."""
        return self.is_greedy, tuple(s.kind for s in self.segments), self.method == "ANY"

    @property
    def identity(self) -> tuple[str, tuple[tuple[int, str], ...]]:
        """Two keys with the same identity would match the same requests."""
        if self.is_default:
            return DEFAULT, ()
        return self.method, tuple(
            (s.kind, s.text if s.kind == _LITERAL_KIND else "") for s in self.segments
        )


def parse_route_key(key: str) -> RouteKey:
    """Parse ``$default`` or ``<METHOD> /<path>``.

    Raises:
        InvalidRouteKeyError: With API Gateway's sentence, or naming the part of the path.
    """
    if key == DEFAULT:
        return RouteKey(key)
    method, space, path = key.partition(" ")
    if not space or method not in METHODS or not path.startswith("/"):
        raise InvalidRouteKeyError(
            "The provided route key is not formatted properly for HTTP protocol. "
            'Format should be "<HTTP METHOD> /<RESOURCE PATH>" or "$default"'
        )
    segments = tuple(_parse_segment(part) for part in path[1:].split("/"))
    names = [s.text for s in segments if s.kind != _LITERAL_KIND]
    if len(names) != len(set(names)):
        raise InvalidRouteKeyError(f"Path variable names must be unique in route key {key}")
    if any(s.kind == _GREEDY_KIND for s in segments[:-1]):
        raise InvalidRouteKeyError(
            f"A greedy path variable must be the last part of route key {key}"
        )
    return RouteKey(key, method, path, segments)


def _parse_segment(part: str) -> Segment:
    if match := _VARIABLE.fullmatch(part):
        return Segment(_GREEDY_KIND if match[2] else _VARIABLE_KIND, match[1])
    if not _LITERAL.fullmatch(part):
        raise InvalidRouteKeyError(
            f"Path part {part!r} must be literal text, {{name}} or {{name+}} as a whole"
        )
    return Segment(_LITERAL_KIND, part)


@dataclass(frozen=True, slots=True)
class Match:
    """The chosen route and its path variables, each decoded once; for several requests."""

    route: RouteKey
    path_parameters: dict[str, str]


class RouteTable:
    """The routes of one deployment, ordered so that the first match is the right one."""

    def __init__(self, routes: Iterable[RouteKey]) -> None:
        self._by_length: dict[int, list[RouteKey]] = {}
        self._greedy: list[RouteKey] = []
        self._default: RouteKey | None = None
        self._known: dict[tuple[str, str], Match] = {}
        for route in sorted(routes, key=lambda r: r.specificity):
            if route.is_default:
                self._default = route
            elif route.is_greedy:
                self._greedy.append(route)
            else:
                self._by_length.setdefault(len(route.segments), []).append(route)

    def match(self, method: str, raw_path: str) -> Match | None:
        """Choose the route of a request.

        Segments are cut before they are decoded, so ``%2F`` stays inside its segment.

        Args:
            raw_path: Percent-encoded path below the stage, starting with ``/``.

        Raises:
            HttpError: 400 when the path cannot be decoded.
        """
        key = method, raw_path
        known = self._known.get(key)
        if known is None:
            known = self._find(method, raw_path)
            if known is not None and len(raw_path) <= _LONGEST_KNOWN:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[key] = known
        return known

    def _find(self, method: str, raw_path: str) -> Match | None:
        parts = [percent_decode(part) for part in raw_path[1:].split("/")]
        for route in self._by_length.get(len(parts), ()):
            if route.method in (method, "ANY") and _matches(route.segments, parts):
                return Match(route, _variables(route.segments, parts))
        for route in self._greedy:
            fixed = len(route.segments) - 1
            rest = "/".join(parts[fixed:])
            if (
                route.method in (method, "ANY")
                and rest
                and _matches(route.segments[:-1], parts[:fixed])
            ):
                variables = _variables(route.segments[:-1], parts)
                return Match(route, variables | {route.segments[-1].text: rest})
        return Match(self._default, {}) if self._default else None


def _matches(segments: tuple[Segment, ...], parts: list[str]) -> bool:
    return len(segments) == len(parts) and all(
        segment.text == part if segment.kind == _LITERAL_KIND else part != ""
        for segment, part in zip(segments, parts, strict=True)
    )


def _variables(segments: tuple[Segment, ...], parts: list[str]) -> dict[str, str]:
    return {
        segment.text: part
        for segment, part in zip(segments, parts, strict=False)
        if segment.kind == _VARIABLE_KIND
    }


def split_stage(raw_path: str, stages: Collection[str]) -> tuple[str, str] | None:
    """Name of the stage that serves a path, and the path below it.

    A path whose first segment is the name of a stage goes to that stage, every other path to
    ``$default`` if there is such a stage. ``None``: no stage serves it.

    Raises:
        HttpError: 400 when the first segment cannot be decoded.
    """
    first, slash, rest = raw_path[1:].partition("/")
    name = percent_decode(first)
    if name in stages:
        return name, f"/{rest}" if slash else "/"
    return (DEFAULT, raw_path) if DEFAULT in stages else None

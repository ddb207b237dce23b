"""What builds an address for a route is compiled when an address is built, and a route once.

What: ``werkzeug.routing.Rule._compile_builder`` returns a function that compiles at its first call;
``rolo.routing.router._clone_map_with_rules`` takes the rules of a map into its copy as they are.
Why: LocalStack has hundreds of routes, which it only matches, and makes all of them anew whenever
one is added, as each service does that is loaded. For each, werkzeug compiles two functions that
build addresses, and parses its path: more than a second of the time until the stack is live.
Until: werkzeug compiles them later, and rolo adds a route without making the others anew.
Test: ``tests/unit/plugin/test_routing.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rolo.routing import router
from werkzeug.routing import Map, Rule

type Build = Callable[..., tuple[str, str]]

_compile: Final[Callable[[Any, bool], Any]] = Rule._compile_builder


def _compile_later(self: Rule, append_unknown: bool = True) -> Build:
    def build(rule: Rule, **values: Any) -> tuple[str, str]:
        compiled: Build = _compile(rule, append_unknown).__get__(rule, None)
        setattr(rule, "_build_unknown" if append_unknown else "_build", compiled)
        return compiled(**values)

    return build


def _copied(old: Map) -> Map:
    """A map with the same rules, for a router that adds another to it and forgets the old one."""
    new: Any = router._clone_map_without_rules(old)
    for rule in old.iter_rules():
        # As Map.add, but for the parsing: the copy has the settings of the old one.
        rule.map = new
        new._matcher.add(rule)
        new._rules_by_endpoint.setdefault(rule.endpoint, []).append(rule)
    new._remap = True
    return new  # type: ignore[no-any-return]  # a Map, with what werkzeug keeps to itself


def compile_later() -> None:
    """Patch werkzeug and rolo. Idempotent."""
    Rule._compile_builder = _compile_later  # type: ignore[method-assign]  # a patch
    router._clone_map_with_rules = _copied

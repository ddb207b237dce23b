"""What builds an address for a route is compiled when an address is built.

What: ``werkzeug.routing.Rule._compile_builder`` returns a function that compiles at its first call.
Why: LocalStack has hundreds of routes, which it only matches, and makes all of them anew whenever
one is added. For each, werkzeug compiles two functions that build addresses: a second of the time
until the stack is live.
Until: werkzeug compiles them later, or rolo adds a route without making the others anew.
Test: ``tests/unit/plugin/test_routing.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from werkzeug.routing import Rule

type Build = Callable[..., tuple[str, str]]

_compile: Final[Callable[[Any, bool], Any]] = Rule._compile_builder


def _compile_later(self: Rule, append_unknown: bool = True) -> Build:
    def build(rule: Rule, **values: Any) -> tuple[str, str]:
        compiled: Build = _compile(rule, append_unknown).__get__(rule, None)
        setattr(rule, "_build_unknown" if append_unknown else "_build", compiled)
        return compiled(**values)

    return build


def compile_later() -> None:
    """Patch werkzeug. Idempotent."""
    Rule._compile_builder = _compile_later  # type: ignore[method-assign]  # a patch

"""Addresses are built as ever, and nothing is compiled for a route that is only matched."""

from __future__ import annotations

import subprocess
import sys

import pytest

COUNT = """
from werkzeug.routing import Map, Rule
compiled = []
original = Rule._compile_builder
def compile_builder(self, append_unknown=True):
    compiled.append(self.rule)
    return original(self, append_unknown)
Rule._compile_builder = compile_builder
def use():
    made = Map([Rule("/queue/<account>/<int:number>", endpoint="queue"), Rule("/", endpoint="all")])
    return made.bind("localhost")
PATH = "/queue/000000000000/3"
"""
CASES = {
    "addresses_are_the_same": """
values = {"account": "a b", "number": 3, "more": "1"}
before = use().build("queue", values), use().build("queue", values, append_unknown=False)
from trigger_stack.localstack import routing
routing.compile_later(); routing.compile_later()
for _ in range(2):
    urls = use()
    for _ in range(2):
        after = urls.build("queue", values), urls.build("queue", values, append_unknown=False)
        assert after == before == ("/queue/a%20b/3?more=1", "/queue/a%20b/3")
""",
    "nothing_is_compiled_for_what_is_only_matched": """
from trigger_stack.localstack import routing
routing.compile_later()
assert use().match(PATH) == ("queue", {"account": "000000000000", "number": 3})
assert compiled == []
""",
    "werkzeug_still_compiles_at_once": """
use().match(PATH)
assert len(compiled) == 4
""",
}


@pytest.mark.parametrize("name", CASES)
def test_routes(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT + CASES[name]], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr

"""Routes match and build as ever, nothing is compiled for those that only match, none is twice."""

from __future__ import annotations

import pytest

from tests.support.fresh import Fresh

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
from rolo import Router
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request
from werkzeug.exceptions import NotFound
bound = []
bind = Rule.bind
def counted(self, *args, **kwargs):
    bound.append(self.rule)
    return bind(self, *args, **kwargs)
Rule.bind = counted
PATHS = "/a", "/a/<name>", "/b/<path:rest>", "/<regex('[a-z]{3}'):three>/x"
def made():
    router = Router(dispatcher=lambda request, endpoint, args: (endpoint, args))
    return router, [router.add(path, path, host="<host>.local") for path in PATHS]
def found(router, path):
    try:
        return router.dispatch(Request(EnvironBuilder(path, "http://one.local").get_environ()))
    except NotFound:
        return None
ASKED = "/a", "/a/1", "/b/1/2", "/abc/x", "/abcd/x", "/c"
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
    "routes_match_the_same": """
def answers():
    router, rules = made()
    seen = [[found(router, path) for path in ASKED]]
    router.remove(rules[1])
    seen.append([found(router, path) for path in ASKED])
    rules = [router.add("/c", "c"), router.add("/a/<other>", "again")]
    seen.append([found(router, path) for path in ASKED])
    router.remove(rules)
    return [*seen, [found(router, path) for path in ASKED]]
before = answers()
from trigger_stack.localstack import routing
routing.compile_later(); routing.compile_later()
assert answers() == before, (answers(), before)
assert before[0][1] == ("/a/<name>", {"host": "one", "name": "1"}), before
assert before[1][1] is None and before[2][1][0] == "again" and before[3] == before[1]
""",
    "a_route_is_parsed_once": """
from trigger_stack.localstack import routing
routing.compile_later()
router, _ = made()
assert bound == list(PATHS), bound
assert all(rule.map is router.url_map for rule in router.url_map.iter_rules())
""",
    "rolo_still_makes_all_routes_anew": """
made()
assert len(bound) == 10, bound
""",
    "werkzeug_still_compiles_at_once": """
use().match(PATH)
assert len(compiled) == 4
""",
}


@pytest.mark.parametrize("name", CASES)
def test_routes(fresh: Fresh, name: str) -> None:
    done = fresh.run(COUNT + CASES[name])

    assert done.returncode == 0, done.stderr

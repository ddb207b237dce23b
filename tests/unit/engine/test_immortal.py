"""Using the parent's objects does not write to their pages, and they still work."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
from trigger_stack_engine.environments.zygote.immortal import immortalise

class Thing:
    def method(self):
        return [constant, "text", (1, 2)]

constant = {"a key that is long": ["value", 2**70, 1.5]}
thing = Thing()
count = immortalise()
everything = [thing, constant, constant["a key that is long"], Thing.method, Thing.method.__code__,
              Thing.__dict__["method"], json.dumps, json.decoder.scanstring, sys.modules]
before = [sys.getrefcount(one) for one in everything]
kept = [everything * 100, [thing.method() for _ in range(100)]]
assert [sys.getrefcount(one) for one in everything] == before, before
del kept, thing, constant["a key that is long"]
constant["new"] = json.loads(json.dumps({"a": [1, "b"]}))
assert constant == {"new": {"a": [1, "b"]}}
del json, Thing, constant
print(count)
sys.exit(3)
"""


@pytest.mark.skipif(
    sys.version_info[:2] not in ((3, 12), (3, 13)), reason="other versions are left alone"
)
def test_using_an_immortal_object_does_not_change_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )

    assert done.returncode == 3, done.stderr  # the interpreter ends as it should, too
    assert int(done.stdout) > 10_000


def test_an_unknown_layout_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from trigger_stack_engine.environments.zygote import immortal

    monkeypatch.setattr(immortal, "_KNOWN", ())

    assert immortal.immortalise() == 0

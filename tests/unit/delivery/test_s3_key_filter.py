"""Which keys the prefix and suffix of a notification let through."""

from __future__ import annotations

import pytest

from trigger_stack.delivery.s3.key_filter import passes


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("prefix", "in/", "in/a"),
        ("Prefix", "in/", "in/a"),
        ("suffix", ".png", "a.png"),
        ("SUFFIX", ".png", "a.png"),
        ("prefix", "", "a"),
        # As AWS documents it: encoded.
        ("prefix", "a+b", "a b1"),
        ("prefix", "a%20b", "a b1"),
        ("prefix", "a%2Bb", "a+b1"),
        ("prefix", "%C3%A9/", "é/1"),
        ("prefix", "day%3D1/", "day=1/x"),
        ("suffix", "%28b%29", "a(b)"),
        # As it is.
        ("prefix", "a b", "a b1"),
        ("prefix", "a+b", "a+b1"),
        ("prefix", "é/", "é/1"),
        ("prefix", "a(b", "a(b"),
        ("prefix", "a&b=c:d@e,f;", "a&b=c:d@e,f;x"),
        ("prefix", "%41", "%411"),
    ],
)
def test_a_key_has_it(name: str, value: str, key: str) -> None:
    assert passes(key, [{"Name": name, "Value": value}])


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("prefix", "in/", "In/a"),
        ("prefix", "in/", "a/in/"),
        ("suffix", ".png", "a.PNG"),
        ("prefix", "a b", "a+b1"),
        ("prefix", "a%2Bb", "a b1"),
        ("prefix", "a*", "abc"),
        ("suffix", "a b", "a%20b"),
    ],
)
def test_a_key_does_not_have_it(name: str, value: str, key: str) -> None:
    assert not passes(key, [{"Name": name, "Value": value}])


def test_both_must_fit() -> None:
    rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".png"}]

    assert passes("in/a.png", rules)
    assert not passes("in/a.jpg", rules)
    assert not passes("out/a.png", rules)
    assert passes("anything", [])

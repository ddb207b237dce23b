"""Which notifications of one bucket S3 refuses.

The examples are those of "Configuring event notifications using object key name filtering".
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap.checks import buckets
from trigger_stack.delivery.s3.overlap import Notified, refusal

PUT, ALL = "s3:ObjectCreated:Put", "s3:ObjectCreated:*"
AMBIGUOUS = "Configuration is ambiguously defined."

type One = tuple[str, str, str]  # event, prefix, suffix

VALID: list[tuple[One, One]] = [
    ((PUT, "images/", ""), (PUT, "logs/", "")),
    ((PUT, "", ".jpg"), (PUT, "", ".png")),
    ((PUT, "images", ".jpg"), (PUT, "images", ".png")),
    ((PUT, "image/", ""), ("s3:ObjectRemoved:*", "image/", "")),
    ((PUT, "", ""), ("s3:ObjectCreated:Copy", "", "")),
    ((ALL, "a", "x"), (PUT, "b", "x")),
]
INVALID: list[tuple[One, One]] = [
    ((ALL, "", ""), (ALL, "images", "")),
    ((ALL, "", "jpg"), (PUT, "", "pg")),
    ((ALL, "images", "jpg"), (PUT, "", "jpg")),
    ((PUT, "a", ""), (ALL, "ab", ".png")),
    ((ALL, "a", ""), (PUT, "", "b")),
    ((ALL, "", ""), (PUT, "", "")),
    ((ALL, "", ""), (ALL, "", "")),
]


def refused(*notifications: One) -> str | None:
    return refusal(Notified((event,), prefix, suffix) for event, prefix, suffix in notifications)


@pytest.mark.parametrize("pair", VALID)
def test_these_are_taken(pair: tuple[One, One]) -> None:
    assert refused(*pair) is None


@pytest.mark.parametrize("pair", INVALID)
def test_these_are_refused_in_both_orders(pair: tuple[One, One]) -> None:
    assert refused(*pair)
    assert refused(*reversed(pair)) == refused(*pair)


@pytest.mark.parametrize("pair", VALID + INVALID)
def test_the_check_of_a_definition_says_the_same(
    monkeypatch: pytest.MonkeyPatch, pair: tuple[One, One]
) -> None:
    bucket: Any = object()

    def described(number: int, one: One) -> Any:
        event, *values = one
        names = zip(("prefix", "suffix"), values, strict=True)
        rules = [{"Name": name, "Value": value} for name, value in names if value]
        body = {"Event": event, "Filter": {"S3Key": {"Rules": rules}}}
        return buckets._Notification(bucket, body, (number,))

    given = [described(number, one) for number, one in enumerate(pair)]
    monkeypatch.setattr(buckets, "_notifications", lambda _: iter(given))
    view: Any = SimpleNamespace(document=SimpleNamespace(line=lambda _: 1))

    assert bool(list(buckets.overlapping.find(view))) == bool(refused(*pair))


def test_the_message_is_that_of_aws() -> None:
    assert str(refused((ALL, "a", ""), (ALL, "", ""))).startswith(AMBIGUOUS)
    assert str(refused((ALL, "", ""), (ALL, "", ""))).startswith("Configurations overlap.")


def test_each_pair_and_each_event_is_looked_at() -> None:
    one, two = Notified(("s3:ObjectRemoved:*", PUT), "a"), Notified((PUT,), "b")

    assert refusal([one, two]) is None
    assert refusal([one, two, Notified(("s3:ObjectAcl:Put", ALL), "abc")])


def test_what_a_request_has_is_understood() -> None:
    rules = [{"Name": "Prefix", "Value": "a"}, {"Name": "suffix", "Value": "b"}]
    given = {"Events": [PUT], "Filter": {"Key": {"FilterRules": rules}}, "QueueArn": "q"}

    assert Notified.of(given) == Notified((PUT,), "a", "b")
    assert Notified.of({"Events": [PUT], "Filter": {"Key": {}}}) == Notified((PUT,))
    assert Notified.of({"Filter": {"Key": {"FilterRules": [{}]}}}) == Notified(())

"""The lineage of a tracing header counts how often a chain of requests invokes each function."""

from __future__ import annotations

import pytest

from trigger_stack_engine.invoke.recursion import count_of, counted, mark_of, merged
from trigger_stack_engine.invoke.tracing import with_parent

ONE, OTHER = (f"arn:aws:lambda:us-east-1:000000000000:function:{name}" for name in ("one", "other"))
HEADER = "Root=1-2-3;Parent=4;Sampled=1"


def test_each_invocation_counts_for_its_function() -> None:
    header = HEADER
    for arn in (ONE, OTHER, ONE):
        header = counted(header, arn)

    assert header == f"{HEADER};Lineage={mark_of(ONE)}:2|{mark_of(OTHER)}:1"
    assert (count_of(header, ONE), count_of(header, OTHER)) == (2, 1)


def test_the_next_invocation_keeps_the_lineage() -> None:
    header = with_parent(counted(HEADER, ONE), "5")

    assert header == f"Root=1-2-3;Parent=5;Sampled=1;Lineage={mark_of(ONE)}:1"


@pytest.mark.parametrize(
    "header",
    [None, "", HEADER, "Lineage=", "Lineage=x", f"Lineage={mark_of(ONE)}:-1", "Lineage=|:"],
)
def test_what_is_no_lineage_counts_nothing(header: str | None) -> None:
    assert count_of(header, ONE) == 0


def test_a_count_that_somebody_made_up_is_no_trouble() -> None:
    header = f"Lineage={mark_of(ONE)}:{'9' * 5000}"

    assert count_of(header, ONE) == 999_999_999


def test_a_batch_is_as_deep_as_its_deepest_message() -> None:
    deep = counted(counted(HEADER, ONE), ONE)
    headers = [None, HEADER, counted(HEADER, OTHER), deep, counted(HEADER, ONE)]

    header = merged(headers)

    assert (count_of(header, ONE), count_of(header, OTHER)) == (2, 1)
    assert merged([None, HEADER]) is None

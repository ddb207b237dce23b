"""Sequencers of changes of objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from trigger_stack.delivery.s3.sequencer import Sequencers

SECOND = 10**9


def test_it_has_the_form_of_aws() -> None:
    """Of the example in "Event message structure": 0x55AED6DC seconds since 1970."""
    assert Sequencers(lambda: 0x55AED6DC * SECOND + SECOND // 2).next() == "0055AED6DC80000000"


def test_each_is_greater_though_the_clock_stands_still_or_is_set_back() -> None:
    times = iter([5 * SECOND, 5 * SECOND, 3 * SECOND, 5 * SECOND, 6 * SECOND])
    sequencers = Sequencers(lambda: next(times))
    given = [sequencers.next() for _ in range(5)]

    assert given == sorted(set(given))
    assert {len(one) for one in given} == {18}
    assert given[4] == "000000000600000000"


def test_no_two_are_the_same_whoever_asks() -> None:
    sequencers = Sequencers()
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: sequencers.next(), range(2000)))

    assert len(set(given)) == 2000

"""An integration is waited for in the task of its request, and goes on when it takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from trigger_stack_engine.front_doors.core.message import HttpResponse
from trigger_stack_engine.front_doors.core.time_limit import TimeLimit
from trigger_stack_engine.wakeup import Wakeup

RESPONSE = HttpResponse(200)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


def wakeup() -> Wakeup[HttpResponse]:
    return Wakeup(asyncio.get_running_loop())


async def answered(waits_for: Wakeup[HttpResponse], seen: list[object]) -> HttpResponse:
    seen.append(asyncio.current_task())
    response = await waits_for
    seen.append(asyncio.current_task())
    return response


def test_a_task_goes_on_within_the_call_that_ends_its_wait() -> None:
    async def test() -> None:
        waits_for, seen = wakeup(), []
        task = asyncio.create_task(answered(waits_for, seen))
        await asyncio.sleep(0)
        done: list[int] = []

        def answer() -> None:  # as a reader of the event loop
            waits_for.set_result(RESPONSE)
            done.append(len(seen))

        asyncio.get_running_loop().call_soon(answer)
        assert await task is RESPONSE
        assert done == [2]

    run(test())


def test_it_goes_on_a_turn_later_while_another_task_runs() -> None:
    async def test() -> None:
        waits_for, seen = wakeup(), []
        task = asyncio.create_task(answered(waits_for, seen))
        await asyncio.sleep(0)
        waits_for.set_result(RESPONSE)
        assert len(seen) == 1
        assert await task is RESPONSE

    run(test())


def test_what_is_over_is_not_waited_for() -> None:
    async def test() -> None:
        waits_for = wakeup()
        waits_for.set_result(RESPONSE)
        assert await waits_for is RESPONSE

    run(test())


def test_a_cancelled_task_waits_no_longer() -> None:
    async def test() -> None:
        task = asyncio.create_task(answered(wakeup(), []))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(test())


def test_an_answer_in_time_needs_no_task_of_its_own() -> None:
    async def test() -> None:
        waits_for, seen = wakeup(), []
        asyncio.get_running_loop().call_later(0.01, waits_for.set_result, RESPONSE)
        response = await TimeLimit().run(answered(waits_for, seen), 10)
        assert response is RESPONSE
        assert seen == [asyncio.current_task()] * 2

    run(test())


def test_what_takes_too_long_goes_on() -> None:
    async def test() -> None:
        waits_for, seen = wakeup(), []
        with pytest.raises(TimeoutError):
            await TimeLimit().run(answered(waits_for, seen), 0.05)
        assert len(seen) == 1
        await asyncio.sleep(0)
        waits_for.set_result(RESPONSE)
        await asyncio.sleep(0.01)
        assert len(seen) == 2
        assert seen[1] is not seen[0]

    run(test())


def test_each_integration_has_its_own_time() -> None:
    async def test() -> None:
        limit, late = TimeLimit(), wakeup()
        first = asyncio.create_task(_as_task(limit, answered(wakeup(), []), 0.1))
        await asyncio.sleep(0.08)
        second = asyncio.create_task(_as_task(limit, answered(late, []), 0.1))
        with pytest.raises(TimeoutError):
            await first
        assert not second.done()
        late.set_result(RESPONSE)
        assert await second is RESPONSE

    run(test())


async def _as_task(limit: TimeLimit, work: Coroutine[Any, Any, Any], seconds: float) -> Any:
    return await limit.run(work, seconds)


def test_what_waits_for_something_else_is_limited_too() -> None:
    ended: list[str] = []

    async def slow() -> HttpResponse:
        await asyncio.sleep(0.2)
        ended.append("slow")
        return RESPONSE

    async def test() -> None:
        limit = TimeLimit()
        assert await limit.run(slow(), 10) is RESPONSE
        with pytest.raises(TimeoutError):
            await limit.run(slow(), 0.05)
        await asyncio.sleep(0.3)
        assert ended == ["slow", "slow"]

    run(test())


def test_limits_within_limits() -> None:
    """A distribution's origin may be an API: the shorter time counts, whichever it is."""

    async def test() -> None:
        inner, outer = TimeLimit(), TimeLimit()
        waits_for = wakeup()

        async def within() -> HttpResponse:
            try:
                return await inner.run(answered(waits_for, []), 0.05)
            except TimeoutError:
                return HttpResponse(503)

        assert (await outer.run(within(), 10)).status == 503

        with pytest.raises(TimeoutError):
            await outer.run(_as_task(inner, answered(wakeup(), []), 10), 0.05)

    run(test())


def test_an_error_of_the_integration_is_raised() -> None:
    async def fails(waits_for: Wakeup[HttpResponse]) -> HttpResponse:
        await waits_for
        raise KeyError("why")

    async def test() -> None:
        waits_for = wakeup()
        asyncio.get_running_loop().call_later(0.01, waits_for.set_result, RESPONSE)
        with pytest.raises(KeyError, match="why"):
            await TimeLimit().run(fails(waits_for), 10)

    run(test())

"""Which faults happen, and which settings are refused."""

from __future__ import annotations

import random
from typing import Any

import pytest

from trigger_stack_engine.invoke.faults import (
    NO_FAULT,
    FaultInjector,
    FaultSettingError,
    FaultSettings,
)

ARN = "arn:aws:lambda:us-east-1:000000000000:function:put_brand:$LATEST"


def injector(**settings: Any) -> FaultInjector:
    made = FaultInjector(random.Random(1))
    made.settings = FaultSettings.from_json(settings)
    return made


def test_without_settings_nothing_happens() -> None:
    calm = injector()

    assert all(calm.next(ARN) is NO_FAULT for _ in range(100))
    assert not any(calm.repeats(ARN) for _ in range(100))


def test_each_fault_has_its_share() -> None:
    faulty = injector(errors=0.2, kills=0.1, duplicates=0.3, delay_ms=250)
    faults = [faulty.next(ARN) for _ in range(10_000)]

    assert sum(one.is_error for one in faults) == pytest.approx(2000, rel=0.1)
    ends = [one.kill_after_s for one in faults if one.kill_after_s is not None]
    assert len(ends) == pytest.approx(1000, rel=0.1)
    assert 0 <= min(ends) < max(ends) <= 0.05
    assert {one.delay_s for one in faults} == {0.25}
    assert sum(faulty.repeats(ARN) for _ in range(10_000)) == pytest.approx(3000, rel=0.1)


def test_only_the_function_that_is_named_has_faults() -> None:
    faulty = injector(function="audit", errors=1, duplicates=1)

    assert faulty.next(ARN) is NO_FAULT
    assert not faulty.repeats(ARN)
    assert faulty.next(ARN.replace("put_brand", "audit_brand")).is_error


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "give an object"),
        ({"error": 1}, "error is no setting; settings: function, duplicates"),
        ({"errors": 1.1}, "errors: give a number from 0 to 1"),
        ({"errors": True}, "errors: give a number"),
        ({"kills": -0.1}, "kills: give a number"),
        ({"kills": float("nan")}, "kills: give a number"),
        ({"delay_ms": 900_001}, "delay_ms: give a number from 0 to 900000"),
        ({"function": 1}, "function: give a part"),
    ],
)
def test_settings_that_cannot_be_used(document: Any, message: str) -> None:
    with pytest.raises(FaultSettingError, match=message):
        FaultSettings.from_json(document)

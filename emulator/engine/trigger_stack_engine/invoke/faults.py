"""Faults on purpose: what AWS may do to an invocation at any time, made frequent.

Events that arrive twice, invocations that fail without running, environments that end in the
middle, delays: code that handles these here handles them on AWS. The names follow AWS FIS,
"AWS Lambda actions reference" (``invocation-error``, ``invocation-add-delay``); duplicates follow
the AWS Lambda Developer Guide, "Asynchronous invocation": a function may get an event twice.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, fields
from typing import Any

#: Seconds from the begin of an invocation within which an environment is ended.
_ENDS_WITHIN_S = 0.05
#: What an invocation returns that fails without running.
ERROR = json.dumps(
    {
        "errorType": "FaultInjection.InvocationError",
        "errorMessage": "The function did not run: make chaos asked for errors.",
    }
).encode()


class FaultSettingError(ValueError):
    """A setting cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """How often each fault happens.

    Attributes:
        function: A part of the function's ARN; an empty text is every function.
        duplicates: Share of events (asynchronous invocations, batches of queues and streams) that
            the function gets twice, from 0 to 1.
        errors: Share of invocations that fail without running.
        kills: Share of invocations whose environment is killed soon after they begin.
        delay_ms: Added to each invocation before it runs.
    """

    function: str = ""
    duplicates: float = 0.0
    errors: float = 0.0
    kills: float = 0.0
    delay_ms: int = 0

    @classmethod
    def from_json(cls, document: Any) -> FaultSettings:
        """From a mapping; what is missing is 0.

        Raises:
            FaultSettingError: A name is unknown or a value out of its range.
        """
        if not isinstance(document, dict):
            raise FaultSettingError("give an object with " + ", ".join(_NAMES))
        for name, value in document.items():
            if name not in _NAMES:
                raise FaultSettingError(f"{name} is no setting; settings: {', '.join(_NAMES)}")
            if name == "function":
                if not isinstance(value, str):
                    raise FaultSettingError("function: give a part of a function's ARN")
                continue
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            most = 900_000 if name == "delay_ms" else 1
            if not is_number or not 0 <= value <= most:
                raise FaultSettingError(f"{name}: give a number from 0 to {most}")
        return cls(**document)

    def to_json(self) -> dict[str, Any]:
        """As a mapping."""
        return asdict(self)


_NAMES = tuple(field.name for field in fields(FaultSettings))


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one invocation.

    Attributes:
        delay_s: It begins so much later.
        is_error: It fails without running.
        kill_after_s: Its environment is killed then; ``None`` when it is not.
    """

    delay_s: float = 0.0
    is_error: bool = False
    kill_after_s: float | None = None


NO_FAULT = Fault()


class FaultInjector:
    """Decides which invocation gets which fault.

    Args:
        chance: Returns a number from 0 to 1.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()  # noqa: S311  nothing depends on a secret
        self.settings = _NONE

    def next(self, arn: str) -> Fault:
        """The fault of the next invocation of a function."""
        settings = self.settings
        if settings is _NONE or settings == _NONE or settings.function not in arn:
            return NO_FAULT
        kill = self._happens(settings.kills)
        return Fault(
            settings.delay_ms / 1000,
            self._happens(settings.errors),
            self._chance.uniform(0, _ENDS_WITHIN_S) if kill else None,
        )

    def repeats(self, arn: str) -> bool:
        """Whether a function gets its next event twice."""
        settings = self.settings
        return settings.function in arn and self._happens(settings.duplicates)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share


_NONE = FaultSettings()

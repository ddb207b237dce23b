"""``ClientToken``: a request that is sent again is answered again, and done once.

AWS topic: EventBridge Scheduler API Reference, ``ClientToken`` of "CreateSchedule",
"UpdateSchedule", "DeleteSchedule", "CreateScheduleGroup" and "DeleteScheduleGroup".
"""

from __future__ import annotations

import copy
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from trigger_stack.services.errors import ServiceError

#: AWS does not say how long it knows a token.
_MOST: Final = 10_000
_TOKEN = re.compile(r"[a-zA-Z0-9-_]{1,64}")


class ClientTokens:
    """The answers to requests with a token, the latest 10 000 of them.

    Whoever uses it lets one request in at a time.
    """

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, ...], tuple[str, Any]] = OrderedDict()

    def once(
        self, place: tuple[str, ...], request: Mapping[str, Any], do: Callable[[], Any]
    ) -> Any:
        """Do what a request asks for, unless it was done for the same token.

        Args:
            place: Account, region and operation: a token counts within them.
            request: The request; without a token it is done.
            do: Does it, and returns the answer. When it raises, the token stays new.

        Raises:
            ServiceError: The token is none, or was used with other parameters.
        """
        token = request.get("ClientToken")
        if token is None:
            return do()
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise ServiceError(
                "ValidationException",
                f"1 validation error detected: Value '{token}' at 'clientToken' failed to satisfy"
                " constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9-_]+$",
            )
        key = (*place, token)
        given = json.dumps(
            {name: value for name, value in request.items() if name != "ClientToken"},
            sort_keys=True,
            default=str,
        )
        if key in self._answers:
            before, answer = self._answers[key]
            if before != given:
                message = f"The client token {token} was used for a request with other parameters."
                raise ServiceError("ConflictException", message, 409)
            return copy.deepcopy(answer)
        answer = do()
        self._answers[key] = (given, copy.deepcopy(answer))
        while len(self._answers) > _MOST:
            self._answers.popitem(last=False)
        return answer

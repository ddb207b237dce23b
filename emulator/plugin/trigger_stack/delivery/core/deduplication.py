"""Messages of a FIFO topic that were published before.

AWS topic: Amazon SNS Developer Guide, "Amazon SNS message deduplication for FIFO topics": within
five minutes, a message with the deduplication id of an earlier one is accepted and not delivered.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable

INTERVAL_S = 300.0


class Deduplication:
    """What was published to topics within the interval.

    Args:
        clock: Monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, set[Hashable]] = {}
        self._order: deque[tuple[float, str, Hashable]] = deque()

    def is_repeated(self, topic: str, key: Hashable) -> bool:
        """Whether a topic got the same within the interval; if not, it is the first from now on."""
        now = self._clock()
        with self._lock:
            while self._order and self._order[0][0] <= now - INTERVAL_S:
                _, old_topic, old_key = self._order.popleft()
                keys = self._seen.get(old_topic)
                if keys is not None:
                    keys.discard(old_key)
                    if not keys:
                        del self._seen[old_topic]
            keys = self._seen.setdefault(topic, set())
            if key in keys:
                return True
            keys.add(key)
            self._order.append((now, topic, key))
            return False

    def withdraw(self, topic: str, key: Hashable) -> None:
        """What was first did not get there: when it is published again, it is no duplicate."""
        with self._lock:
            self._seen.get(topic, set()).discard(key)
            self._order = deque(one for one in self._order if one[1:] != (topic, key))

    def forget(self, topic: str) -> None:
        """The topic is deleted: one of the same name later is another."""
        with self._lock:
            self._seen.pop(topic, None)
            self._order = deque(one for one in self._order if one[1] != topic)

"""Which port of this machine a load balancer's listener has.

AWS gives a load balancer a name, and listeners any port below it. Here the name is ``localhost``,
so each listener needs a port that no other has. A load balancer has its first port before it has a
listener: its address is asked for when it is made.
"""

from __future__ import annotations

import threading


class Ports:
    """The ports that listeners have.

    Args:
        ports: What may be given.
    """

    def __init__(self, ports: range) -> None:
        self._ports = ports
        self._lock = threading.Lock()
        self._listeners: dict[str, tuple[str, int]] = {}  # load balancer and port
        self._promised: dict[str, int] = {}  # by load balancer: its first listener's

    def promise(self, balancer: str) -> None:
        """A load balancer has been made: keep a port for its first listener, if one is left."""
        with self._lock:
            taken = self._taken()
            port = next((port for port in self._ports if port not in taken), None)
            if port is not None:
                self._promised[balancer] = port

    def candidates(self, balancer: str, wanted: int) -> list[int]:
        """What a new listener may get, in the order in which it is tried.

        Args:
            balancer: Its load balancer.
            wanted: The port that it has on AWS: taken when it is one of ours.
        """
        with self._lock:
            used = {port for _, port in self._listeners.values()}
            promised = self._promised.get(balancer)
            taken = used | {p for other, p in self._promised.items() if other != balancer}
            first = [port for port in (wanted, promised) if port in self._ports]
            order = dict.fromkeys([*first, *self._ports])
            return [port for port in order if port not in taken]

    def take(self, listener: str, balancer: str, port: int) -> None:
        """A listener is served on a port."""
        with self._lock:
            is_first = all(owner != balancer for owner, _ in self._listeners.values())
            self._listeners[listener] = (balancer, port)
            if is_first:
                self._promised[balancer] = port

    def keep(self, listeners: set[str], balancers: set[str]) -> None:
        """These are all that there are: give the ports of others back."""
        with self._lock:
            self._listeners = {arn: one for arn, one in self._listeners.items() if arn in listeners}
            self._promised = {arn: port for arn, port in self._promised.items() if arn in balancers}

    def of_listener(self, listener: str) -> int | None:
        """The port of a listener; ``None`` when it is not served."""
        with self._lock:
            found = self._listeners.get(listener)
            return found[1] if found else None

    def of_balancer(self, balancer: str) -> int | None:
        """The port of a load balancer's oldest listener, or of the one that it will have first."""
        with self._lock:
            for owner, port in self._listeners.values():
                if owner == balancer:
                    return port
            return self._promised.get(balancer)

    def _taken(self) -> set[int]:
        return {port for _, port in self._listeners.values()} | set(self._promised.values())

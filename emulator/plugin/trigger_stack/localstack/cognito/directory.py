"""Moto's user pools as the directory of ``services/cognito``.

What: no patch. Pools, clients, groups and users are moto's objects.
Why: the control plane, which is moto's, shows them.
Until: as ``provider.py``.
Test: ``tests/unit/plugin/test_cognito_provider.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from moto.cognitoidp.models import CognitoIdpUser, cognitoidp_backends

from trigger_stack.services.cognito.directory import Client, Pool, User
from trigger_stack.services.cognito.errors import not_found


class MotoDirectory:
    """Finds pools in moto's store."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def pool(self, account_id: str, region: str, pool_id: str) -> Pool:
        """The pool of an id.

        Raises:
            ServiceError: There is none.
        """
        pool: Any = cognitoidp_backends[account_id][region].user_pools.get(pool_id)
        if pool is None:
            raise not_found(f"User pool {pool_id} does not exist.")
        return pool  # type: ignore[no-any-return]  # moto's

    def pool_of_client(self, client_id: str) -> tuple[Pool, Client]:
        """The pool that has a client, and the client; such requests name no account.

        Raises:
            ServiceError: There is none.
        """
        for pool in self.pools():
            client = pool.clients.get(client_id)
            if client is not None:
                return pool, client
        raise not_found(f"User pool client {client_id} does not exist.")

    def pools(self) -> list[Pool]:
        """Every pool of every account and region."""
        found: list[Any] = [
            pool
            for regions in list(cognitoidp_backends.values())
            for backend in list(regions.values())
            for pool in list(backend.user_pools.values())
        ]
        return found

    def new_user(
        self, pool: Pool, username: str | None, status: str, attributes: Mapping[str, str]
    ) -> User:
        """A user that is not in the pool yet; without a name it is named by its id."""
        pairs = [{"Name": name, "Value": value} for name, value in attributes.items()]
        user: Any = CognitoIdpUser(pool.id, username, None, status, pairs)
        return user  # type: ignore[no-any-return]  # moto's

    def lock(self) -> Any:
        """A context manager: who holds it may change pools."""
        return self._lock

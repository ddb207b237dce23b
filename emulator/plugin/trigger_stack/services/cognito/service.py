"""The operations of user pools that are not the control plane's, in one place."""

from __future__ import annotations

from collections.abc import Callable

from trigger_stack.services.cognito.accounts import Accounts
from trigger_stack.services.cognito.core import Core
from trigger_stack.services.cognito.directory import Directory
from trigger_stack.services.cognito.messages import Messages, Post
from trigger_stack.services.cognito.passwords import Passwords
from trigger_stack.services.cognito.secrets_store import Codes, Sessions
from trigger_stack.services.cognito.sign_in import SignIns
from trigger_stack.services.cognito.sign_up import SignUps
from trigger_stack.services.cognito.tokens import Tokens
from trigger_stack.services.cognito.triggers import Functions, Triggers


class UserPools:
    """Users, sign-in and tokens of every pool.

    Args:
        directory: Pools, clients and users.
        functions: Invokes the functions of triggers.
        post: Sends messages.
        now: The time by which codes, sessions and tokens expire, in seconds since 1970.

    Attributes:
        core: What the operations share.
        parts: Objects whose marked methods are the operations.
    """

    def __init__(
        self, directory: Directory, functions: Functions, post: Post, now: Callable[[], float]
    ) -> None:
        triggers = Triggers(functions)
        self.core = Core(
            directory=directory,
            triggers=triggers,
            messages=Messages(triggers, post),
            codes=Codes(now),
            sessions=Sessions(now),
            tokens=Tokens(now),
            now=now,
        )
        self.parts = (
            SignUps(self.core),
            SignIns(self.core),
            Passwords(self.core),
            Accounts(self.core),
        )

    def forget(self, pool_id: str) -> None:
        """A pool was deleted."""
        self.core.tokens.forget_pool(pool_id)
        self.core.codes.forget_pool(pool_id)

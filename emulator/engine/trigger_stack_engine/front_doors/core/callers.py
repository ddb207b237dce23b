"""Who signed a request, for front doors with ``AWS_IAM``."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from trigger_stack_engine.front_doors.core.message import HttpRequest

_KEYS_KEPT_S: Final = 30.0
_MOST_KEPT: Final = 1000

#: The secret key, account, ARN and user id of an access key; ``None`` when there is no such key.
type FindKey = Callable[[str], Awaitable[dict[str, str] | None]]


class SignatureError(Exception):
    """A request is not signed, or not as it is.

    Args:
        problem: Why, for the log.
        answer: Why, as AWS tells the client; ``None``: the signature does not match.

    Attributes:
        answer: Why, as AWS tells the client.
        kind: Value of ``x-amzn-ErrorType``.
    """

    answer = (
        "The request signature we calculated does not match the signature you provided. Check your"
        " AWS Secret Access Key and signing method. Consult the service documentation for details."
    )
    kind = "InvalidSignatureException"

    def __init__(self, problem: str, answer: str | None = None) -> None:
        super().__init__(problem)
        if answer is not None:
            self.answer = answer


class UnsignedError(SignatureError):
    """A request is not signed at all."""

    answer = "Missing Authentication Token"
    kind = "MissingAuthenticationTokenException"


class IncompleteSignatureError(SignatureError):
    """The ``Authorization`` header is no signature; the text is that for the client."""

    kind = "IncompleteSignatureException"

    def __init__(self, answer: str) -> None:
        super().__init__("the Authorization header is no AWS4-HMAC-SHA256 signature", answer)


class UnknownKeyError(SignatureError):
    """A request names an access key that does not exist, or not with its session token."""

    answer = "The security token included in the request is invalid."
    kind = "UnrecognizedClientException"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed a request.

    Attributes:
        access_key: Access key id.
        account: Account of the principal.
        arn: ARN of the principal.
        user_id: Its unique id.
    """

    access_key: str
    account: str
    arn: str
    user_id: str

    @property
    def principals(self) -> list[str]:
        """The names by which a resource-based policy may mean this caller."""
        return [self.arn, self.account, f"arn:aws:iam::{self.account}:root"]


class Callers:
    """Finds and checks who signed a request.

    Args:
        find_key: Asks the control plane for an access key.
    """

    def __init__(self, find_key: FindKey) -> None:
        self._find_key = find_key
        self._keys: dict[str, tuple[float, dict[str, str] | None]] = {}

    async def signer(self, request: HttpRequest, service: str, region: str) -> Caller:
        """Who signed a request.

        Args:
            request: The request as it came.
            service: Signing name, ``lambda`` or ``execute-api``.
            region: Region of the function or API.

        Raises:
            SignatureError: Nobody did, or not for this request.
        """
        # Imported here: botocore is only loaded when a door asks for signatures.
        from trigger_stack_engine.front_doors.core.signature import (
            access_key_of,
            check,
            session_token_of,
        )

        access_key = access_key_of(request)
        key = await self._key(access_key)
        token = key.get("token") if key else None
        if token is not None and token != session_token_of(request):
            raise UnknownKeyError(f"the session token of {access_key} is missing or another one")
        check(request, service, region, lambda _: key["secret"] if key else None)
        assert key is not None  # check has refused the request otherwise
        return Caller(access_key, key["account"], key["arn"], key["user_id"])

    async def _key(self, access_key: str) -> dict[str, str] | None:
        now = time.monotonic()
        known = self._keys.get(access_key)
        if known is None or known[0] < now:
            if len(self._keys) > _MOST_KEPT:  # clients may send any
                self._keys.clear()
            key = await self._find_key(access_key)
            known = self._keys[access_key] = (now + _KEYS_KEPT_S, key)
        return known[1]

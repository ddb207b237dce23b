"""Checks JSON Web Tokens against the keys of their issuer.

AWS topic: API Gateway Developer Guide, "Control access to HTTP APIs with JWT authorizers",
"Authorizing API requests": RSA only; ``iss``, ``aud`` or ``client_id``, ``exp``, ``nbf`` and
``iat`` are checked; keys are kept for two hours.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from trigger_stack_engine.front_doors.core.token_times import UNCHECKED, check_times

_ALGORITHMS: Final = ("RS256", "RS384", "RS512")
_KEPT_S: Final = 7200.0
_AGAIN_S: Final = 5.0
_REQUEST_S: Final = 1.5
_MOST_BYTES: Final = 150_000
_MOST_CHARACTERS: Final = 300
_DOTS: Final = 2
#: For PyJWT: the audience is checked here, and API Gateway reads neither ``sub`` nor ``jti``.
_UNCHECKED: Final = {"verify_aud": False, "verify_sub": False, "verify_jti": False}
#: A signature takes longer to check than a function takes to be called: once for some time will do.
_VERIFIED_S: Final = 30.0
_MOST_VERIFIED: Final = 1000


class TokenError(Exception):
    """A token does not hold; the text says why, and fits between the quotation marks of a header.

    Args:
        problem: What is wrong. It may hold parts of the token.
    """

    def __init__(self, problem: str) -> None:
        fit = re.sub(r"[^ -~]", " ", problem[:_MOST_CHARACTERS])
        super().__init__(fit.replace('"', "'"))


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token whose signature holds.

    Attributes:
        claims: What it says.
        keys: The keys that were loaded then, as they are kept.
        until: When to check it again, on the monotonic clock.
    """

    claims: dict[str, Any]
    keys: tuple[float, dict[str, Any]]
    until: float


class JsonWebTokens:
    """The keys of issuers, and the tokens that they signed.

    Args:
        keys_file: A JWKS file whose keys count for every issuer, instead of asking the issuer;
            for tests without one (``HTTP_API_JWKS_FILE``).
        clock: Monotonic time in seconds.
        now: The time by which tokens expire, in seconds since 1970.
    """

    def __init__(
        self,
        keys_file: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._file = keys_file
        self._clock = clock
        self._now = now
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}
        self._verified: dict[tuple[str, str], _Verified] = {}
        self._pools: dict[str, dict[str, Any]] = {}

    @classmethod
    def from_environment(cls, now: Callable[[], float] = time.time) -> JsonWebTokens:
        """With ``HTTP_API_JWKS_FILE``."""
        file = os.environ.get("HTTP_API_JWKS_FILE", "").strip()
        return cls(Path(file) if file else None, now=now)

    def replace_pools(self, pools: dict[str, dict[str, Any]]) -> None:
        """The keys of this stack's user pools, by issuer; nobody else is asked for these."""
        for issuer in self._pools.keys() | pools.keys():
            if self._pools.get(issuer) != pools.get(issuer):
                self._known.pop(issuer, None)
        self._pools = pools

    async def claims(self, token: str, issuer: str, audience: list[str] | None) -> dict[str, Any]:
        """The claims of a token.

        Args:
            token: The token.
            issuer: Who must have signed it.
            audience: Any of whom it must be for; ``None``: do not ask.

        Raises:
            TokenError: It is malformed, not signed by ``issuer``, for nobody of ``audience``, or
                not valid now.
        """
        claims = self._remembered(issuer, token)
        if claims is None:
            claims = await self._verify(token, issuer)
        self._check_times(claims)
        if audience is not None:
            _check_audience(claims, audience)
        return claims

    def _remembered(self, issuer: str, token: str) -> dict[str, Any] | None:
        """The claims of a token whose signature was checked a moment ago, with the same keys."""
        found = self._verified.get((issuer, token))
        if (
            found is None
            or found.keys is not self._known.get(issuer)
            or found.until < self._clock()
        ):
            return None
        return found.claims

    async def _verify(self, token: str, issuer: str) -> dict[str, Any]:
        # Imported here: only an API with a JWT authorizer needs it.
        import jwt

        if token.count(".") != _DOTS:
            raise TokenError("token contains an invalid number of segments")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise TokenError("the token is malformed") from None
        if header.get("alg") not in _ALGORITHMS:
            raise TokenError("the token is not signed with an RSA algorithm")
        key = await self._key(issuer, str(header.get("kid")))
        options: Any = {**_UNCHECKED, "require": ["exp"], **UNCHECKED}
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(_ALGORITHMS),
                issuer=issuer,
                options=options,
            )
        except jwt.InvalidIssuerError:
            raise TokenError("issuer does not match") from None
        except jwt.InvalidSignatureError:
            raise TokenError("the signature does not belong to the token") from None
        except jwt.PyJWTError as error:
            raise TokenError(str(error)) from None
        if len(self._verified) >= _MOST_VERIFIED:
            self._verified.clear()
        keys = self._known[issuer]
        until = min(self._clock() + _VERIFIED_S, keys[0] + _KEPT_S)
        self._verified[issuer, token] = _Verified(claims, keys, until)
        return claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        import jwt

        try:
            check_times(claims, self._now())
        except jwt.ExpiredSignatureError:
            raise TokenError("the token has expired") from None
        except jwt.PyJWTError as error:
            raise TokenError(str(error)) from None

    async def _key(self, issuer: str, key_id: str) -> Any:
        loaded_at, keys = self._known.get(issuer, (float("-inf"), {}))
        age = self._clock() - loaded_at
        if age > _KEPT_S or (key_id not in keys and age > _AGAIN_S):
            keys = await asyncio.to_thread(self._load, issuer)
            self._known[issuer] = (self._clock(), keys)
        if key_id not in keys:
            raise TokenError(f"the issuer has no key {key_id[:100]}")
        return keys[key_id]

    def _load(self, issuer: str) -> dict[str, Any]:
        import jwt

        try:
            if (pool := self._pools.get(issuer.rstrip("/"))) is not None:
                document = pool
            elif self._file is not None:
                document = json.loads(self._file.read_text())
            else:
                base = issuer.rstrip("/")
                discovered = _fetch(f"{base}/.well-known/openid-configuration")
                document = _fetch(str(discovered["jwks_uri"]))
            keys = jwt.PyJWKSet.from_dict(document)
            bound = {str(one.get("kid")) for one in document["keys"] if one.get("alg")}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
            raise TokenError(f"the keys of the issuer cannot be read: {error}") from None
        # PyJWT binds an RSA key that names no algorithm to RS256; it is for each of them.
        return {
            str(key.key_id): key if str(key.key_id) in bound else key.key
            for key in keys.keys
            if key.key_type == "RSA"
        }


def _fetch(url: str) -> Any:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url} is no HTTP address")
    with requests.get(url, timeout=_REQUEST_S, stream=True, allow_redirects=False) as answer:
        answer.raise_for_status()
        body = answer.raw.read(_MOST_BYTES + 1, decode_content=True)
    if len(body) > _MOST_BYTES:
        raise ValueError("the answer is larger than 150 kB")
    return json.loads(body)


def _check_audience(claims: dict[str, Any], audience: list[str]) -> None:
    named = claims.get("aud", claims.get("client_id"))
    given = named if isinstance(named, list) else [named]
    if not any(one in audience for one in given):
        raise TokenError("the token does not have a valid audience")

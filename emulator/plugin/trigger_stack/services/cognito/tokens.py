"""Identity, access and refresh tokens.

AWS topics: Amazon Cognito Developer Guide, "Understanding the identity (ID) token", "Understanding
the access token", "Refresh tokens", "Ending user sessions with token revocation".
"""

from __future__ import annotations

import json
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from trigger_stack.services.cognito.directory import Client, Pool, User
from trigger_stack.services.cognito.errors import not_authorized
from trigger_stack_engine.front_doors.core.token_times import UNCHECKED, check_times

SCOPE: Final = "aws.cognito.signin.user.admin"
_UNITS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
#: Claims that no trigger can change.
PROTECTED: Final = frozenset(
    (
        *("acr", "amr", "at_hash", "aud", "auth_time", "azp", "client_id", "cognito:username"),
        *("device_key", "event_id", "exp", "iat", "identities", "iss", "jti", "nbf", "nonce"),
        *("origin_jti", "sub", "token_use", "username", "version"),
    )
)
#: Expired ones are forgotten when there are more.
_MOST_REFRESH_TOKENS: Final = 10_000
_BOOLEANS: Final = ("email_verified", "phone_number_verified")


def issuer(pool_id: str) -> str:
    """The issuer of a pool's tokens."""
    return f"https://cognito-idp.{pool_id.partition('_')[0]}.amazonaws.com/{pool_id}"


class Key:
    """The key that signs the tokens of one pool."""

    def __init__(self) -> None:
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.id = secrets.token_urlsafe(32)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A token with these claims."""
        return jwt.encode(dict(claims), self._private, "RS256", headers={"kid": self.id})

    def claims(self, token: str, pool_id: str, now: float) -> dict[str, Any]:
        """The claims of a token that this key signed.

        Raises:
            jwt.PyJWTError: It did not, or the token is not valid now.
        """
        options: Any = {"verify_aud": False, "require": ["exp", "sub", "jti"], **UNCHECKED}
        found: dict[str, Any] = jwt.decode(
            token,
            self._private.public_key(),
            algorithms=["RS256"],
            issuer=issuer(pool_id),
            options=options,
        )
        check_times(found, now)
        return found

    def public(self) -> dict[str, Any]:
        """The key as a JSON Web Key."""
        key: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self._private.public_key()))
        return {
            "alg": "RS256",
            "e": key["e"],
            "kid": self.id,
            "kty": "RSA",
            "n": key["n"],
            "use": "sig",
        }


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in, which every token of it names.

    Attributes:
        user_id: ``sub`` of the user.
        client_id: The client.
        auth_time: When, in seconds since 1970.
        origin_jti: Its id: revoked together.
        event_id: Id of the event.
    """

    user_id: str
    client_id: str
    auth_time: int
    origin_jti: str = field(default_factory=lambda: str(uuid.uuid4()))
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a pre token generation trigger changes.

    Attributes:
        id_claims: Claims to set in the identity token.
        id_suppressed: Claims to leave out of it.
        access_claims: The same for the access token.
        access_suppressed: The same for the access token.
        scopes_added: Scopes to add.
        scopes_suppressed: Scopes to leave out.
        groups: Other groups, roles and preferred role; None: as they are.
    """

    id_claims: Mapping[str, Any] = field(default_factory=dict)
    id_suppressed: frozenset[str] = frozenset()
    access_claims: Mapping[str, Any] = field(default_factory=dict)
    access_suppressed: frozenset[str] = frozenset()
    scopes_added: tuple[str, ...] = ()
    scopes_suppressed: frozenset[str] = frozenset()
    groups: Mapping[str, Any] | None = None


def groups_of(user: User) -> dict[str, Any]:
    """The ``groupConfiguration`` of a user: groups by precedence, their roles, the preferred."""
    ordered = sorted(
        user.groups,
        key=lambda group: (
            group.precedence is None,
            group.precedence if group.precedence is not None else 0,
            group.group_name,
        ),
    )
    roles = list(dict.fromkeys(str(group.role_arn) for group in ordered if group.role_arn))
    best = [group for group in ordered if group.precedence is not None]
    first = {
        group.role_arn
        for group in best
        if group.precedence == best[0].precedence and group.role_arn
    }
    return {
        "groupsToOverride": [group.group_name for group in ordered],
        "iamRolesToOverride": roles,
        "preferredRole": first.pop() if len(first) == 1 else None,
    }


class Tokens:
    """The keys of pools, their refresh tokens, and what is revoked.

    Args:
        now: The time by which tokens expire, in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._refresh: dict[str, tuple[str, SignIn, float]] = {}
        self._revoked: set[tuple[str, str]] = set()  # pool and origin_jti
        self._sign_ins: dict[tuple[str, str], list[str]] = {}  # pool and user: origin_jti

    # -- keys ---------------------------------------------------------------------------------

    def key(self, pool_id: str) -> Key:
        """The key of a pool; made with the first call."""
        with self._lock:
            if pool_id not in self._keys:
                self._keys[pool_id] = Key()
            return self._keys[pool_id]

    def jwks(self, pool_id: str) -> dict[str, Any]:
        """``{keys}`` of a pool."""
        return {"keys": [self.key(pool_id).public()]}

    def forget_pool(self, pool_id: str) -> None:
        """A pool was deleted."""
        with self._lock:
            self._keys.pop(pool_id, None)
            self._refresh = {k: v for k, v in self._refresh.items() if v[0] != pool_id}
            self._revoked = {one for one in self._revoked if one[0] != pool_id}
            self._sign_ins = {k: v for k, v in self._sign_ins.items() if k[0] != pool_id}

    # -- issuing ------------------------------------------------------------------------------

    def issue(
        self,
        pool: Pool,
        client: Client,
        user: User,
        sign_in: SignIn,
        overrides: Overrides,
        *,
        refreshed: bool,
    ) -> dict[str, Any]:
        """``AuthenticationResult``; a new sign-in gets a refresh token, too."""
        now = int(self._now())
        groups = groups_of(user) if overrides.groups is None else dict(overrides.groups)
        shared: dict[str, Any] = {
            "sub": user.id,
            "iss": issuer(pool.id),
            "origin_jti": sign_in.origin_jti,
            "event_id": sign_in.event_id,
            "auth_time": sign_in.auth_time,
            "iat": now,
        }
        if groups.get("groupsToOverride"):
            shared["cognito:groups"] = list(groups["groupsToOverride"])
        access = _access_claims(client, user, shared, overrides)
        identity = _identity_claims(client, user, shared, groups, overrides)
        lasts_s = validity_s(client, "AccessToken")
        access |= {"exp": now + lasts_s, "jti": str(uuid.uuid4())}
        identity |= {"exp": now + validity_s(client, "IdToken"), "jti": str(uuid.uuid4())}
        key = self.key(pool.id)
        result: dict[str, Any] = {
            "AccessToken": key.sign(access),
            "ExpiresIn": lasts_s,
            "TokenType": "Bearer",
            "IdToken": key.sign(identity),
        }
        if not refreshed:
            result["RefreshToken"] = self._remember(pool, client, sign_in)
        return result

    def _remember(self, pool: Pool, client: Client, sign_in: SignIn) -> str:
        token = f"R{secrets.token_urlsafe(96)}"
        ends = self._now() + validity_s(client, "RefreshToken")
        with self._lock:
            if len(self._refresh) >= _MOST_REFRESH_TOKENS:
                now = self._now()
                self._refresh = {k: v for k, v in self._refresh.items() if v[2] > now}
            self._refresh[token] = (pool.id, sign_in, ends)
            own = self._sign_ins.setdefault((pool.id, sign_in.user_id), [])
            own.append(sign_in.origin_jti)
        return token

    # -- using --------------------------------------------------------------------------------

    def refresh(self, pool: Pool, client: Client, token: str) -> SignIn:
        """The sign-in of a refresh token.

        Raises:
            ServiceError: It is none of the client, is revoked, or has expired.
        """
        with self._lock:
            pool_id, sign_in, ends = self._refresh.get(token, ("", None, 0.0))
            if sign_in is None or pool_id != pool.id or sign_in.client_id != client.id:
                raise not_authorized("Invalid Refresh Token")
            if (pool_id, sign_in.origin_jti) in self._revoked:
                raise not_authorized("Refresh Token has been revoked")
            if self._now() >= ends:
                raise not_authorized("Refresh Token has expired")
        return sign_in

    def access(self, pool: Pool, token: str) -> dict[str, Any]:
        """The claims of an access token.

        Raises:
            ServiceError: It is none of this pool, is revoked, or has expired.
        """
        try:
            claims = self.key(pool.id).claims(token, pool.id, self._now())
        except jwt.ExpiredSignatureError:
            raise not_authorized("Access Token has expired") from None
        except jwt.PyJWTError:
            raise not_authorized("Invalid Access Token") from None
        if claims.get("token_use") != "access":
            raise not_authorized("Invalid Access Token")
        if (pool.id, str(claims.get("origin_jti"))) in self._revoked:
            raise not_authorized("Access Token has been revoked")
        if SCOPE not in str(claims.get("scope") or "").split():
            raise not_authorized("Access Token does not have required scopes")
        return claims

    def revoke(self, pool: Pool, client: Client, token: str) -> bool:
        """Revoke a refresh token and the access tokens of its sign-in; False when it is none."""
        with self._lock:
            pool_id, sign_in, _ = self._refresh.get(token, ("", None, 0.0))
            if sign_in is None or pool_id != pool.id or sign_in.client_id != client.id:
                return False
            self._revoked.add((pool_id, sign_in.origin_jti))
            return True

    def sign_out(self, pool: Pool, user: User) -> None:
        """Revoke everything that a user was given."""
        with self._lock:
            for origin in self._sign_ins.pop((pool.id, user.id), []):
                self._revoked.add((pool.id, origin))


def pool_id_in(token: str) -> str:
    """The id of the pool that a token says it is from, unchecked; an empty text for none."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return ""
    return str(claims.get("iss") or "").rpartition("/")[2]


def validity_s(client: Client, kind: str) -> int:
    """Seconds for which a client's tokens are valid.

    Args:
        kind: ``AccessToken``, ``IdToken`` or ``RefreshToken``.
    """
    value = client.extended_config.get(f"{kind}Validity")
    units = client.extended_config.get("TokenValidityUnits") or {}
    unit = units.get(kind) or ("days" if kind == "RefreshToken" else "hours")
    if not value:
        return 30 * 86_400 if kind == "RefreshToken" else 3600
    return int(value) * _UNITS.get(str(unit), 3600)


def _access_claims(
    client: Client, user: User, shared: Mapping[str, Any], overrides: Overrides
) -> dict[str, Any]:
    scopes = dict.fromkeys((SCOPE, *overrides.scopes_added))
    kept = [one for one in scopes if one not in overrides.scopes_suppressed]
    claims = {
        **shared,
        "client_id": client.id,
        "token_use": "access",
        "scope": " ".join(kept),
        "username": user.username,
    }
    return _changed(claims, overrides.access_claims, overrides.access_suppressed)


def _identity_claims(
    client: Client,
    user: User,
    shared: Mapping[str, Any],
    groups: Mapping[str, Any],
    overrides: Overrides,
) -> dict[str, Any]:
    readable = client.extended_config.get("ReadAttributes")
    claims: dict[str, Any] = {}
    for name, value in user.attribute_lookup.items():
        if name == "sub" or name.startswith("dev:") or (readable and name not in readable):
            continue
        claims[name] = _typed(name, str(value))
    claims |= {
        **shared,
        "aud": client.id,
        "token_use": "id",
        "cognito:username": user.username,
    }
    if groups.get("iamRolesToOverride"):
        claims["cognito:roles"] = list(groups["iamRolesToOverride"])
    if groups.get("preferredRole"):
        claims["cognito:preferred_role"] = groups["preferredRole"]
    return _changed(claims, overrides.id_claims, overrides.id_suppressed)


def _typed(name: str, value: str) -> Any:
    if name in _BOOLEANS:
        return value == "true"
    if name == "updated_at" and value.isdigit():
        return int(value)
    if name == "address":
        return {"formatted": value}
    return value


def _changed(
    claims: dict[str, Any], added: Mapping[str, Any], suppressed: frozenset[str]
) -> dict[str, Any]:
    free = {k: v for k, v in added.items() if k not in PROTECTED and k != "cognito:groups"}
    return {
        name: value
        for name, value in {**claims, **free}.items()
        if name not in suppressed or name in PROTECTED
    }

"""Passwords, and how a client proves that it knows one without sending it (SRP).

A password is kept as a salt and a verifier only: what USER_SRP_AUTH needs, and enough to check a
password that is sent.

AWS topic: Amazon Cognito Developer Guide, "Signing in with user name and password, SRP"; the
protocol is SRP-6a (RFC 5054, group of 3072 bits) with a key of HKDF and an HMAC as the proof.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from trigger_stack.services.cognito.errors import invalid_parameter

#: RFC 5054, appendix A: the group of 3072 bits.
_N: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E34"
    "04DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6"
    "F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A6916"
    "3FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C"
    "32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA95"
    "6AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA7157"
    "5D060C7DB3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D876"
    "02733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E"
    "4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
_G: Final = 2
_INFO: Final = b"Caldera Derived Key"
_TIMESTAMP: Final = "%a %b %d %H:%M:%S UTC %Y"
_MOST_HEX: Final = 1024


def padded(number: int) -> bytes:
    """A number as bytes whose first bit is 0, as both sides write it."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


_K: Final = int.from_bytes(hashlib.sha256(padded(_N) + padded(_G)).digest(), "big")


@dataclass(frozen=True, slots=True)
class Verifier:
    """What is kept of a password.

    Attributes:
        salt: Random.
        value: ``g ** x mod N``; ``x`` is made of the salt, the names of pool and user, and the
            password.
    """

    salt: int
    value: int

    @classmethod
    def of(cls, pool_id: str, username: str, password: str) -> Verifier:
        """The verifier of a new password."""
        salt = secrets.randbits(128)
        return cls(salt, pow(_G, _secret(pool_id, username, password, salt), _N))

    @classmethod
    def simulated(cls, key: bytes, username: str) -> Verifier:
        """The verifier of a user that does not exist: always the same salt, and no password."""
        digest = hmac.new(key, username.encode(), hashlib.sha512).digest()
        return cls(int.from_bytes(digest[:16], "big"), pow(_G, secrets.randbits(256), _N))

    def accepts(self, pool_id: str, username: str, password: str) -> bool:
        """Whether a password is this one."""
        value = pow(_G, _secret(pool_id, username, password, self.salt), _N)
        return hmac.compare_digest(padded(value), padded(self.value))


def _secret(pool_id: str, username: str, password: str, salt: int) -> int:
    name = pool_id.partition("_")[2]
    inner = hashlib.sha256(f"{name}{username}:{password}".encode()).digest()
    return int.from_bytes(hashlib.sha256(padded(salt) + inner).digest(), "big")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One proof in progress, after the client sent its public value.

    Attributes:
        pool_id: Id of the pool.
        user_id: Name of the user in the protocol.
        verifier: Of the user's password.
        theirs: The client's public value, ``SRP_A``.
        private: Ours, for this exchange alone.
        block: ``SECRET_BLOCK``: by it the client names this exchange.
    """

    pool_id: str
    user_id: str
    verifier: Verifier
    theirs: int
    private: int
    block: bytes

    @classmethod
    def begin(cls, pool_id: str, user_id: str, verifier: Verifier, srp_a: str | None) -> Exchange:
        """Begin an exchange.

        Raises:
            ServiceError: ``SRP_A`` is missing, no number, or one that proves nothing.
        """
        if not srp_a:
            raise invalid_parameter("Missing required parameter SRP_A")
        if len(srp_a) > _MOST_HEX or not re.fullmatch(r"[0-9a-fA-F]+", srp_a):
            raise invalid_parameter("SRP_A is not a hexadecimal number.")
        theirs = int(srp_a, 16)
        if theirs % _N == 0:
            raise invalid_parameter("SRP_A must not be a multiple of N.")
        block = secrets.token_bytes(64)
        return cls(pool_id, user_id, verifier, theirs, secrets.randbits(1024), block)

    @property
    def ours(self) -> int:
        """Our public value, ``SRP_B``."""
        return (_K * self.verifier.value + pow(_G, self.private, _N)) % _N

    def parameters(self) -> dict[str, str]:
        """``ChallengeParameters`` of ``PASSWORD_VERIFIER``, without the user's name."""
        return {
            "SALT": f"{self.verifier.salt:x}",
            "SECRET_BLOCK": base64.b64encode(self.block).decode(),
            "SRP_B": f"{self.ours:x}",
            "USER_ID_FOR_SRP": self.user_id,
        }

    def proves(self, signature: str, timestamp: str) -> bool:
        """Whether the client's signature shows that it knows the password.

        Args:
            signature: ``PASSWORD_CLAIM_SIGNATURE``, Base64.
            timestamp: ``TIMESTAMP``, for example ``Sat Nov 8 09:00:00 UTC 2025``.
        """
        try:
            given = base64.b64decode(signature, validate=True)
            datetime.strptime(timestamp, _TIMESTAMP).replace(tzinfo=UTC)
        except (binascii.Error, ValueError):
            return False
        mix = hashlib.sha256(padded(self.theirs) + padded(self.ours)).digest()
        number = int.from_bytes(mix, "big")
        shared = pow(self.theirs * pow(self.verifier.value, number, _N), self.private, _N)
        key = hmac.new(padded(number), padded(shared), hashlib.sha256).digest()
        key = hmac.new(key, _INFO + b"\x01", hashlib.sha256).digest()[:16]
        name = self.pool_id.partition("_")[2]
        message = name.encode() + self.user_id.encode() + self.block + timestamp.encode()
        return hmac.compare_digest(hmac.new(key, message, hashlib.sha256).digest(), given)

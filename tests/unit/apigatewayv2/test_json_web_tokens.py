"""Keys of JSON Web Tokens: from a file, and when they are read again."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from trigger_stack_engine.front_doors.core.json_web_tokens import JsonWebTokens, TokenError

ISSUER = "https://issuer.example"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def write(file: Path, **keys: rsa.RSAPrivateKey) -> None:
    to_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
    documents = [
        {**json.loads(to_jwk(key.public_key())), "kid": name} for name, key in keys.items()
    ]
    file.write_text(json.dumps({"keys": documents}))


def token(key: rsa.RSAPrivateKey, kid: str) -> str:
    claims = {"iss": ISSUER, "aud": "me", "exp": int(time.time()) + 60}
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


def claims(tokens: JsonWebTokens, text: str) -> dict[str, Any]:
    return asyncio.run(tokens.claims(text, ISSUER, ["me"]))


def test_keys_come_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = new_key()
    write(tmp_path / "jwks", one=one)
    monkeypatch.setenv("HTTP_API_JWKS_FILE", str(tmp_path / "jwks"))

    assert claims(JsonWebTokens.from_environment(), token(one, "one"))["aud"] == "me"


def test_an_unknown_key_is_looked_for_but_not_at_each_request(tmp_path: Path) -> None:
    one, two, now = new_key(), new_key(), [0.0]
    write(tmp_path / "jwks", one=one)
    tokens = JsonWebTokens(tmp_path / "jwks", lambda: now[0])
    claims(tokens, token(one, "one"))
    write(tmp_path / "jwks", one=one, two=two)

    with pytest.raises(TokenError, match="the issuer has no key two"):
        claims(tokens, token(two, "two"))
    now[0] = 6
    assert claims(tokens, token(two, "two"))


def test_a_key_that_is_gone_counts_for_two_hours(tmp_path: Path) -> None:
    one, now = new_key(), [0.0]
    write(tmp_path / "jwks", one=one)
    tokens = JsonWebTokens(tmp_path / "jwks", lambda: now[0])
    claims(tokens, token(one, "one"))
    write(tmp_path / "jwks")

    now[0] = 7199
    assert claims(tokens, token(one, "one"))
    now[0] = 7201
    with pytest.raises(TokenError):
        claims(tokens, token(one, "one"))


def test_a_token_is_verified_once_for_some_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, now = new_key(), [0.0]
    write(tmp_path / "jwks", one=one)
    tokens, text = JsonWebTokens(tmp_path / "jwks", lambda: now[0]), token(one, "one")
    verified: list[str] = []
    decode = jwt.decode

    def counted(given: str, *arguments: Any, **more: Any) -> Any:
        verified.append(given)
        return decode(given, *arguments, **more)

    monkeypatch.setattr(jwt, "decode", counted)
    assert claims(tokens, text) == claims(tokens, text)
    assert len(verified) == 1

    now[0] = 31
    claims(tokens, text)
    assert len(verified) == 2
    with pytest.raises(TokenError, match="the token does not have a valid audience"):
        asyncio.run(tokens.claims(text, ISSUER, ["others"]))
    header, body, signature = text.split(".")
    with pytest.raises(TokenError):
        claims(tokens, f"{header}.{body}.{signature[:-4]}AAAA")


def test_a_verified_token_expires_by_the_stacks_clock(tmp_path: Path) -> None:
    one, ahead = new_key(), [0.0]
    write(tmp_path / "jwks", one=one)
    tokens = JsonWebTokens(tmp_path / "jwks", lambda: 0.0, lambda: time.time() + ahead[0])
    text = token(one, "one")
    claims(tokens, text)

    ahead[0] = 120
    with pytest.raises(TokenError, match="the token has expired"):
        claims(tokens, text)

    ahead[0] = 0
    assert claims(tokens, text)["aud"] == "me"


@pytest.mark.parametrize(
    ("times", "problem"),
    [
        ({"exp": 1000}, "the token has expired"),
        ({"exp": 1001, "nbf": 1001}, r"not yet valid \(nbf\)"),
        ({"exp": 1001, "iat": 1001}, r"not yet valid \(iat\)"),
        ({"exp": 2000, "iat": "soon"}, "iat must be a number"),
        ({"exp": 1001, "nbf": 1000, "iat": 1000.5}, None),
    ],
)
def test_the_times_of_a_token(tmp_path: Path, times: dict[str, Any], problem: str | None) -> None:
    one = new_key()
    write(tmp_path / "jwks", one=one)
    tokens = JsonWebTokens(tmp_path / "jwks", now=lambda: 1000.0)
    given = {"iss": ISSUER, "aud": "me", **times}
    text = jwt.encode(given, one, algorithm="RS256", headers={"kid": "one"})

    if problem is None:
        assert claims(tokens, text) == given
    else:
        with pytest.raises(TokenError, match=problem):
            claims(tokens, text)


@pytest.mark.parametrize("named", [[["me"]], [{"me": 1}], {"me": 1}, [], 5, None], ids=repr)
def test_an_audience_that_is_no_text_is_nobodys(tmp_path: Path, named: Any) -> None:
    one = new_key()
    write(tmp_path / "jwks", one=one)
    body = {"iss": ISSUER, "aud": named, "exp": int(time.time()) + 60}
    text = jwt.api_jws.encode(json.dumps(body).encode(), one, "RS256", {"kid": "one"})

    with pytest.raises(TokenError, match="the token does not have a valid audience"):
        claims(JsonWebTokens(tmp_path / "jwks"), text)


def test_claims_that_the_gateway_does_not_read_are_not_checked(tmp_path: Path) -> None:
    one = new_key()
    write(tmp_path / "jwks", one=one)
    body = {"iss": ISSUER, "aud": "me", "sub": 5, "jti": 6, "exp": int(time.time()) + 60}
    text = jwt.api_jws.encode(json.dumps(body).encode(), one, "RS256", {"kid": "one"})

    assert claims(JsonWebTokens(tmp_path / "jwks"), text) == body


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_a_key_that_names_no_algorithm_is_for_each(tmp_path: Path, algorithm: str) -> None:
    one = new_key()
    write(tmp_path / "jwks", one=one)
    body = {"iss": ISSUER, "aud": "me", "exp": int(time.time()) + 60}
    text = jwt.encode(body, one, algorithm=algorithm, headers={"kid": "one"})

    assert claims(JsonWebTokens(tmp_path / "jwks"), text) == body


def test_what_is_said_of_a_token_fits_into_a_header(tmp_path: Path) -> None:
    one = new_key()
    write(tmp_path / "jwks", one=one)

    with pytest.raises(TokenError) as refused:
        claims(JsonWebTokens(tmp_path / "jwks"), token(one, 'a"\r\nx-mine: 1 ☃'))
    assert str(refused.value) == "the issuer has no key a'  x-mine: 1  "


def test_a_file_that_cannot_be_read_lets_nobody_through(tmp_path: Path) -> None:
    for content in ("", "{}", "[]", '{"keys": 1}', "\0"):
        (tmp_path / "jwks").write_text(content)
        with pytest.raises(TokenError, match=r"cannot be read|has no key"):
            claims(JsonWebTokens(tmp_path / "jwks"), token(new_key(), "one"))


def public(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    """A key set as the control plane describes that of a user pool."""
    return {
        "keys": [{**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": kid}]
    }


def test_the_keys_of_user_pools_count_from_the_moment_they_are_known(tmp_path: Path) -> None:
    one, two = new_key(), new_key()
    (tmp_path / "jwks").write_text('{"keys": []}')  # for every other issuer
    tokens = JsonWebTokens(tmp_path / "jwks")
    with pytest.raises(TokenError):
        claims(tokens, token(one, "one"))

    tokens.replace_pools({ISSUER: public(one, "one")})

    assert claims(tokens, token(one, "one"))["aud"] == "me"
    tokens.replace_pools({ISSUER: public(one, "one"), f"{ISSUER}/other": public(two, "two")})
    assert claims(tokens, token(one, "one"))["aud"] == "me"
    with pytest.raises(TokenError):
        claims(tokens, token(two, "two"))  # of another pool


def test_the_tokens_of_a_deleted_pool_count_no_longer(tmp_path: Path) -> None:
    one = new_key()
    (tmp_path / "jwks").write_text('{"keys": []}')
    tokens = JsonWebTokens(tmp_path / "jwks")
    tokens.replace_pools({ISSUER: public(one, "one")})
    claims(tokens, token(one, "one"))

    tokens.replace_pools({})

    with pytest.raises(TokenError):
        claims(tokens, token(one, "one"))

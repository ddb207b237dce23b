"""Cognito → `brand_admin_signin`: a code by mail, and what its token opens."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from pathlib import Path

import jwt
import pytest
import requests
from botocore.exceptions import ClientError

from tests.support.waiting import eventually

POOL = "brand-admins"


@pytest.fixture(scope="session")
def pool(aws):
    """Id of the pool, and of its client."""
    cognito = aws("cognito-idp")
    pools = cognito.list_user_pools(MaxResults=60)["UserPools"]
    (pool_id,) = [one["Id"] for one in pools if one["Name"] == POOL]
    clients = cognito.list_user_pool_clients(UserPoolId=pool_id, MaxResults=60)["UserPoolClients"]
    (client_id,) = [one["ClientId"] for one in clients if one["ClientName"] == POOL]
    return pool_id, client_id


@pytest.fixture
def admin(aws, pool, cleanup):
    """`admin()`: the address of a new administrator; with `member=False` of a user who is none."""

    def create(*, member=True):
        cognito, address = aws("cognito-idp"), f"{uuid.uuid4().hex[:12]}@acme.example"
        names = {"UserPoolId": pool[0], "Username": address}
        cognito.admin_create_user(
            **names,
            MessageAction="SUPPRESS",
            UserAttributes=[{"Name": "email", "Value": address}],
        )
        cleanup.callback(cognito.admin_delete_user, **names)
        if member:
            cognito.admin_add_user_to_group(**names, GroupName="brand-admins")
        return address

    return create


@pytest.fixture
def sign_in(aws, pool, mails):
    """`begin(address)`, `answer(challenge, code)`; `code(address)` is the one that was mailed."""

    class SignIn:
        def begin(self, address):
            return aws("cognito-idp").initiate_auth(
                AuthFlow="CUSTOM_AUTH", ClientId=pool[1], AuthParameters={"USERNAME": address}
            )

        def answer(self, challenge, code):
            name = challenge["ChallengeParameters"]["USERNAME"]
            return aws("cognito-idp").respond_to_auth_challenge(
                ClientId=pool[1],
                ChallengeName="CUSTOM_CHALLENGE",
                Session=challenge["Session"],
                ChallengeResponses={"USERNAME": name, "ANSWER": code},
            )

        def code(self, address):
            (mail,) = mails(address)
            return re.search(r"\b\d{6}\b", mail["Body"]["text_part"])[0]

        def tokens(self, address):
            challenge = self.begin(address)
            return self.answer(challenge, self.code(address))["AuthenticationResult"]

    return SignIn()


def wrong(code):
    return f"{(int(code) + 1) % 1_000_000:06d}"


def audit(api, brand_id, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{api}/admin/brands/{brand_id}/audit", headers=headers, timeout=30)


def test_the_code_from_the_mail_opens_the_history(
    api, admin, sign_in, brand_id, brand_body, put_brand
):
    assert put_brand(brand_id, brand_body).status_code == 201
    address = admin()
    challenge = sign_in.begin(address)
    code = sign_in.code(address)

    shown = challenge["ChallengeParameters"]
    assert {k: v for k, v in shown.items() if k != "USERNAME"} == {
        "medium": "EMAIL",
        "attemptsLeft": "3",
    }
    assert code not in str(challenge)
    again = sign_in.answer(challenge, wrong(code))
    assert again["ChallengeParameters"]["attemptsLeft"] == "2"
    tokens = sign_in.answer(again, code)["AuthenticationResult"]

    def recorded():
        answer = audit(api, brand_id, tokens["IdToken"])
        assert answer.status_code == 200, answer.text
        return [one for one in answer.json()["changes"] if one["what"] == "created"]

    (created,) = eventually(recorded)
    assert created["after"]["name"] == brand_body["name"]
    assert audit(api, brand_id, tokens["AccessToken"]).status_code == 200


def test_the_sample_client_signs_in(api, admin, brand_id):
    printed = subprocess.run(
        [sys.executable, "-m", "samples.sign_in", admin()],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert printed.returncode == 0, printed.stderr
    assert audit(api, brand_id, printed.stdout.strip()).status_code == 200


def test_three_wrong_codes_end_the_sign_in(admin, sign_in):
    address = admin()
    challenge = sign_in.begin(address)
    code = sign_in.code(address)
    for _ in range(2):
        challenge = sign_in.answer(challenge, wrong(code))

    with pytest.raises(ClientError, match="Incorrect username or password"):
        sign_in.answer(challenge, wrong(code))
    with pytest.raises(ClientError, match="Invalid session"):
        sign_in.answer(challenge, code)


def test_a_stranger_is_asked_alike_gets_no_mail_and_is_not_let_in(sign_in, mails):
    address = f"{uuid.uuid4().hex[:12]}@acme.example"

    challenge = sign_in.begin(address)

    assert challenge["ChallengeName"] == "CUSTOM_CHALLENGE"
    assert challenge["ChallengeParameters"]["attemptsLeft"] == "3"
    for _ in range(2):
        challenge = sign_in.answer(challenge, "000000")
    with pytest.raises(ClientError, match="Incorrect username or password"):
        sign_in.answer(challenge, "000000")
    assert mails(address) == []


def test_an_administrator_is_found_by_the_address_in_any_letters(aws, pool, admin, sign_in):
    address = admin()

    got = aws("cognito-idp").admin_get_user(UserPoolId=pool[0], Username=address.upper())

    assert {"Name": "email", "Value": address} in got["UserAttributes"]
    assert sign_in.begin(address.upper())["ChallengeParameters"]["USERNAME"] == got["Username"]
    assert sign_in.code(address)


def test_who_has_no_token_or_is_in_no_group_reads_nothing(api, admin, sign_in, brand_id):
    assert audit(api, brand_id).status_code == 401
    token = sign_in.tokens(admin(member=False))["IdToken"]
    head, claims, signature = token.split(".")
    forged = f"{head}.{claims}.{signature[::-1]}"

    assert audit(api, brand_id, forged).status_code == 401
    answer = audit(api, brand_id, token)
    assert answer.status_code == 403, answer.text
    assert "brand-admins" in answer.json()["detail"]


def test_a_refreshed_token_opens_the_history_until_the_user_signs_out(
    api, aws, pool, admin, sign_in, brand_id
):
    cognito, tokens = aws("cognito-idp"), sign_in.tokens(admin())
    again = {
        "AuthFlow": "REFRESH_TOKEN_AUTH",
        "ClientId": pool[1],
        "AuthParameters": {"REFRESH_TOKEN": tokens["RefreshToken"]},
    }

    fresh = cognito.initiate_auth(**again)["AuthenticationResult"]

    assert audit(api, brand_id, fresh["AccessToken"]).status_code == 200
    cognito.global_sign_out(AccessToken=fresh["AccessToken"])
    with pytest.raises(ClientError, match="Refresh Token has been revoked"):
        cognito.initiate_auth(**again)


def test_the_keys_of_the_pool_are_published(settings, pool, admin, sign_in):
    token = sign_in.tokens(admin())["IdToken"]
    keys = jwt.PyJWKClient(f"{settings.endpoint_url}/{pool[0]}/.well-known/jwks.json")

    claims = jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token),
        algorithms=["RS256"],
        audience=pool[1],
        issuer=f"https://cognito-idp.us-east-1.amazonaws.com/{pool[0]}",
        leeway=3600,  # another test moves the clock of the stack
    )

    assert claims["cognito:groups"] == ["brand-admins"]
    missing = f"{settings.endpoint_url}/us-east-1_nobody/.well-known/jwks.json"
    assert requests.get(missing, timeout=60).status_code == 404


def test_each_trigger_is_in_the_journal_and_no_code_is(admin, sign_in, journal, logs_of):
    address = admin()
    challenge = sign_in.begin(address)
    code = sign_in.code(address)
    sign_in.answer(challenge, code)

    def recorded():
        found = journal.find(function="brand_admin_signin", text=address)
        assert len(found) == 4, found
        return found

    events = eventually(recorded)
    assert {one["state"] for one in events} == {"done"}
    assert {one["kind"] for one in events} == {"user pool trigger"}
    assert all(":userpool/" in one["source"] for one in events)
    assert len({one["trace"] for one in events}) == 2  # one for each request of the client
    ways = [journal.trace(one["id"]) for one in events]
    assert code not in str(ways)
    eventually(lambda: logs_of("brand_admin_signin", "Code checked"))
    assert not logs_of("brand_admin_signin", code)

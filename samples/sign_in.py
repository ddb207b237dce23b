"""Signs an administrator in with the code from its mail, and prints the identity token.

    TOKEN=$(python -m samples.sign_in)
    curl -H "Authorization: $TOKEN" localhost:8080/admin/brands/acme/audit

A client of custom authentication, as an application has one; only the mail is read here in place of
the person (``GET /_aws/ses``). ``python -m samples.sign_in somebody@example.com`` signs in another
user of the pool.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import requests

from bootstrap import dotenv
from bootstrap.settings import Settings

POOL = "brand-admins"
ADMIN = "admin@brand-platform.example"


def client_of(cognito: Any, pool: str) -> str:
    """Id of the first client of a pool."""
    pools = cognito.list_user_pools(MaxResults=60)["UserPools"]
    found = [one["Id"] for one in pools if one["Name"] == pool]
    if not found:
        raise SystemExit(f"There is no user pool {pool}: make up")
    clients = cognito.list_user_pool_clients(UserPoolId=found[0], MaxResults=1)["UserPoolClients"]
    return str(clients[0]["ClientId"])


def last_code(endpoint: str, address: str) -> str:
    """The code in the last mail to an address."""
    mails = requests.get(f"{endpoint}/_aws/ses", timeout=10).json()["messages"]
    own = [one for one in mails if address in one["Destination"].get("ToAddresses", [])]
    code = re.search(r"\b\d{6}\b", own[-1]["Body"]["text_part"]) if own else None
    if code is None:
        raise SystemExit(f"{address} got no code: is it a user of the pool {POOL}?")
    return code[0]


def sign_in(address: str) -> str:
    """The identity token of a user."""
    dotenv.load(Path(".env"))
    settings = Settings.from_environment()
    cognito = settings.client("cognito-idp")
    client = client_of(cognito, POOL)
    challenge = cognito.initiate_auth(
        AuthFlow="CUSTOM_AUTH", ClientId=client, AuthParameters={"USERNAME": address}
    )
    answer = {
        "USERNAME": challenge["ChallengeParameters"]["USERNAME"],
        "ANSWER": last_code(settings.endpoint_url, address),
    }
    result = cognito.respond_to_auth_challenge(
        ClientId=client,
        ChallengeName=challenge["ChallengeName"],
        Session=challenge["Session"],
        ChallengeResponses=answer,
    )
    return str(result["AuthenticationResult"]["IdToken"])


if __name__ == "__main__":
    print(sign_in(sys.argv[1] if len(sys.argv) > 1 else ADMIN))

"""Secret keys of access keys, for signatures that the engine checks.

What: no patch; reads LocalStack's stores of IAM and STS.
Why: only the control plane knows which access keys there are.
Until: as long as the engine checks signatures.
Test: ``tests/engine/test_function_url.py``.
"""

from __future__ import annotations

from localstack.constants import DEFAULT_AWS_ACCOUNT_ID
from localstack.services.iam.models import iam_stores
from localstack.services.sts.models import sts_stores

#: The secret of every key that IAM and STS did not make: LocalStack takes any.
SECRET = "test"  # noqa: S105  public: it protects nothing


def find(access_key: str) -> dict[str, str] | None:
    """``{secret, account, arn, user_id}`` of an access key, and ``token`` of a role's.

    A key that neither IAM nor STS made has the secret ``test``; one of twelve digits names its
    account.

    Returns:
        None when the key is inactive or has expired.
    """
    for account, _, users in iam_stores.iter_stores():
        if name := users.ACCESS_KEY_INDEX.get(access_key):
            user = users.USERS[name]
            key = user.access_keys[access_key].access_key
            if key["Status"] != "Active":
                return None
            return {
                "secret": key["SecretAccessKey"],
                "account": account,
                "arn": user.user["Arn"],
                "user_id": user.user["UserId"],
            }
    for account, _, sessions in sts_stores.iter_stores():
        if session := sessions.credentials.get(access_key):
            if session.is_expired():
                return None
            return {
                "secret": session.secret_access_key,
                "account": account,
                "arn": session.arn,
                "user_id": session.user_id,
                "token": session.session_token,
            }
    names_account = len(access_key) == 12 and access_key.isascii() and access_key.isdigit()
    account = access_key if names_account else DEFAULT_AWS_ACCOUNT_ID
    arn = f"arn:aws:iam::{account}:root"
    return {"secret": SECRET, "account": account, "arn": arn, "user_id": account}

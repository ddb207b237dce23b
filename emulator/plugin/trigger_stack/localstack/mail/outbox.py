"""Mails that were sent, as ``/_aws/ses`` shows them.

What: no patch; entries of LocalStack's own list.
Why: bounces, and mails of API version 2, are to be seen where all others are.
Until: LocalStack has both.
Test: ``tests/e2e/test_received_mail.py``.
"""

from __future__ import annotations

import uuid
from typing import Any

from localstack.services.plugins import SERVICE_PLUGINS


def keep(
    region: str,
    *,
    source: str,
    destination: dict[str, list[str]],
    subject: str,
    raw: str | None = None,
    body: dict[str, str | None] | None = None,
    identity: str | None = None,
) -> str:
    """Put a mail into the list of those that were sent.

    Args:
        destination: ``ToAddresses`` and so on.
        raw: The mail as a whole, if it was given so.
        body: ``text_part`` and ``html_part``, if they were.
        identity: Its id, made when there is none.

    Returns:
        Its id.
    """
    SERVICE_PLUGINS.require("ses")  # which makes the list be shown
    from localstack.services.ses.provider import save_for_retrospection

    identity = identity or str(uuid.uuid4())
    mail: Any = {
        "Id": identity,
        "Region": region,
        "Source": source,
        "Destination": destination,
        "Subject": subject,
    }
    if raw is not None:
        mail["RawData"] = raw
    if body is not None:
        mail["Body"] = body
    save_for_retrospection(mail)
    return identity

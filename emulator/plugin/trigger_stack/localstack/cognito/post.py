"""Mails and text messages of user pools, where this stack shows them.

What: no patch. A mail is put where LocalStack's SES puts what it sends (``GET /_aws/ses``), a text
message where its SNS does (``GET /_aws/sns/sms-messages``).
Why: Cognito sends from an address of its own that no identity stands for; LocalStack writes the
text of an SMS into its log, and codes must not be there.
Until: as ``provider.py``.
Test: ``tests/e2e/test_user_pools.py``.
"""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError
from localstack.aws.connect import connect_to
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.strings import long_uid

from trigger_stack.services.cognito.directory import Pool
from trigger_stack.services.errors import ServiceError

OWN_ADDRESS = "no-reply@verificationemail.com"
_TAG = re.compile(r"</?[a-zA-Z][^>]*>")


class LocalPost:
    """Puts messages where they can be read."""

    def mail(self, pool: Pool, address: str, subject: str, body: str) -> None:
        """Send a mail; of a pool with an SES identity of its own, by SES.

        Raises:
            ServiceError: SES refuses it.
        """
        SERVICE_PLUGINS.require("ses")
        config = pool.extended_config.get("EmailConfiguration") or {}
        kind = "Html" if _TAG.search(body) else "Text"
        if config.get("EmailSendingAccount") == "DEVELOPER" and config.get("SourceArn"):
            self._by_ses(pool, config, address, subject, {kind: {"Data": body}})
            return
        _show_mail(
            pool,
            {
                "Source": config.get("From") or OWN_ADDRESS,
                "Destination": {"ToAddresses": [address]},
                "Subject": subject,
                "Body": {
                    "text_part": body if kind == "Text" else None,
                    "html_part": body if kind == "Html" else None,
                },
            },
        )

    def _by_ses(
        self, pool: Pool, config: dict[str, Any], address: str, subject: str, body: Any
    ) -> None:
        region = str(config["SourceArn"]).split(":")[3] or pool.region
        client = connect_to(aws_access_key_id=pool.account_id, region_name=region).ses
        source = config.get("From") or str(config["SourceArn"]).rpartition("/")[2]
        more: Any = {"ReplyToAddresses": [to]} if (to := config.get("ReplyToEmailAddress")) else {}
        try:
            client.send_email(
                Source=source,
                Destination={"ToAddresses": [address]},
                Message={"Subject": {"Data": subject}, "Body": body},
                **more,
            )
        except ClientError as error:
            reason = error.response.get("Error", {}).get("Message", "")
            raise ServiceError("CodeDeliveryFailureException", f"SES: {reason}") from None

    def sms(self, pool: Pool, number: str, body: str) -> None:
        """Put a text message where SNS shows what it sent; nothing leaves this machine."""
        from localstack.services.sns.models import sns_stores

        SERVICE_PLUGINS.require("sns")
        sns_stores[pool.account_id][pool.region].sms_messages.append(
            {
                "PhoneNumber": number,
                "TopicArn": None,
                "SubscriptionArn": None,
                "MessageId": long_uid(),
                "Message": body,
                "MessageAttributes": {},
                "MessageStructure": None,
                "Subject": None,
            }
        )


def _show_mail(pool: Pool, mail: dict[str, Any]) -> None:
    from localstack.services.ses.provider import save_for_retrospection

    sent: Any = {"Id": long_uid(), "Region": pool.region, **mail}
    save_for_retrospection(sent)

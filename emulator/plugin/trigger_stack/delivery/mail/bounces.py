"""Bounces: the mail that tells a sender that a mail was not delivered (RFC 3464)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, make_msgid

from trigger_stack.delivery.mail.message import ReceivedMail, headers_of


def bounce(
    mail: ReceivedMail,
    recipients: Sequence[str],
    *,
    sender: str,
    message: str,
    reply_code: str,
    status: str,
    now: datetime,
) -> bytes:
    """The bounce of a mail.

    Args:
        mail: What is bounced.
        recipients: Whom it does not reach.
        sender: Address that the bounce comes from.
        message: Text for people.
        reply_code: SMTP reply code: ``550``.
        status: Enhanced status code: ``5.1.1``.
        now: The time.
    """
    report = MIMEMultipart("report")
    report.set_param("report-type", "delivery-status")
    report["From"] = _line(sender)
    report["To"] = _line(mail.envelope.source)
    report["Subject"] = "Delivery Status Notification (Failure)"
    report["Date"] = format_datetime(now)
    report["Message-ID"] = make_msgid(domain="email.amazonses.com")
    names = ", ".join(recipients)
    text = f"An error occurred while trying to deliver the mail to: {names}\r\n\r\n{message}\r\n"
    report.attach(MIMEText(text, "plain", "utf-8"))
    report.attach(_status(mail, recipients, reply_code, status, message))
    original = EmailMessage()
    original.set_type("text/rfc822-headers")
    lines = "\r\n".join(f"{name}: {value}" for name, value in headers_of(mail.raw))
    original.set_payload(f"{lines}\r\n".encode("ascii", "replace").decode())
    report.attach(original)
    return report.as_bytes()


def _status(
    mail: ReceivedMail, recipients: Sequence[str], reply_code: str, status: str, message: str
) -> Message:
    blocks = [f"Reporting-MTA: dns; inbound-smtp.{mail.region}.amazonaws.com\r\n"]
    blocks += [
        f"Final-Recipient: rfc822; {_line(recipient)}\r\nAction: failed\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; {reply_code} {status} {_line(message)}\r\n"
        for recipient in recipients
    ]
    part = Message()
    part["Content-Type"] = "message/delivery-status"
    part.set_payload([_plain(block) for block in blocks])
    return part


def _plain(block: str) -> Message:
    part = Message()
    for line in block.splitlines():
        name, _, value = line.partition(": ")
        part[name] = value
    return part


def _line(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())

"""Mails over the stack's SMTP port."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from bootstrap.settings import Settings

ROOT = Path(__file__).parents[2]
LOGO = (ROOT / "samples" / "flat-mark.png").read_bytes()


def message(
    source: str, to: str, *attachments: tuple[str, bytes], subject: str = "Our logo"
) -> EmailMessage:
    """A mail with attachments: names and contents."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = source, to, subject
    mail.set_content("Here it is.")
    for name, content in attachments:
        kind = ("image", "png") if name.endswith(".png") else ("application", "octet-stream")
        mail.add_attachment(content, maintype=kind[0], subtype=kind[1], filename=name)
    return mail


def send(source: str, to: str, mail: EmailMessage | bytes) -> tuple[int, str]:
    """The last reply: to ``RCPT`` when it refuses, else to the mail; its text ends in the id."""
    raw = mail if isinstance(mail, bytes) else mail.as_bytes()
    with smtplib.SMTP("127.0.0.1", Settings.from_environment().smtp_port, timeout=60) as smtp:
        smtp.ehlo("client.example")
        smtp.mail(source)
        code, text = smtp.rcpt(to)
        if code == 250:
            code, text = smtp.data(raw)
    return code, text.decode()


def accepted(source: str, to: str, mail: EmailMessage | bytes) -> str:
    """Send a mail that is to be accepted; its id."""
    code, text = send(source, to, mail)
    assert code == 250, text
    return text.split()[-1]

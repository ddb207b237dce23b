"""``bootstrap mail-in``: a mail from a file, over the SMTP port, and what became of it."""

from __future__ import annotations

import email
import re
import smtplib
import sys
import time
from email.message import Message
from email.utils import getaddresses
from pathlib import Path
from typing import Any

import requests

from bootstrap.console import out
from bootstrap.errors import DeployError, WrongUseError
from bootstrap.settings import Settings

#: A function that decides about a mail has 30 seconds.
_WAIT_S = 45.0
_LOOK_EVERY_S = 0.1


def send(file: Path, *, to: str = "", sender: str = "") -> int:
    """Send a mail and print its way.

    Args:
        file: The mail as one file, ``-`` for standard input.
        to: Its recipients, separated by commas; those of its headers by default.
        sender: Its sender; the address in ``From`` by default.

    Returns:
        The exit code: 0 when every action was taken, else 1.

    Raises:
        WrongUseError: There is no such file, or nobody to send it to.
        DeployError: Nothing answers.
    """
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise WrongUseError(f"FILE={file}: {error.strerror}.") from None
    message = email.message_from_bytes(raw)
    recipients = _addresses([to]) if to else _named(message, "To", "Cc", "Bcc")
    if not recipients:
        raise WrongUseError("The mail has no recipient: add a header To, or TO=address.")
    source = sender or next(iter(_named(message, "From")), "")
    settings = Settings.from_environment()
    # A file has the line ends of its machine, a mail those of RFC 5322.
    taken = _deliver(settings, source, recipients, re.sub(rb"\r\n|\r|\n", b"\r\n", raw))
    return 1 if taken is None else _follow(settings, taken)


def _named(message: Message, *headers: str) -> list[str]:
    return _addresses([str(value) for header in headers for value in message.get_all(header, [])])


def _addresses(values: list[str]) -> list[str]:
    return list(dict.fromkeys(address for _, address in getaddresses(values) if "@" in address))


def _deliver(settings: Settings, source: str, recipients: list[str], raw: bytes) -> str | None:
    """Hand a mail over; its id, or None when it was refused."""
    host = "127.0.0.1"
    try:
        with smtplib.SMTP(host, settings.smtp_port, timeout=120) as smtp:
            smtp.ehlo()
            if smtp.has_extn("starttls"):
                smtp.starttls()
                smtp.ehlo()
            code, answer = smtp.mail(source)
            refused = {} if code == 250 else dict.fromkeys(recipients, (code, answer))
            for recipient in recipients if code == 250 else []:
                code, answer = smtp.rcpt(recipient)
                if code != 250:
                    refused[recipient] = (code, answer)
            for recipient, reply in refused.items():
                out.print(f"refused for {recipient}: {_text(reply)}", markup=False)
            if len(refused) == len(recipients):
                return None
            reply = smtp.data(raw)
    except ConnectionRefusedError:
        raise DeployError(
            f"Nothing answers at {host}:{settings.smtp_port}. Start the stack with: make up."
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeployError(f"The mail was not taken: {error}") from None
    if reply[0] != 250:
        out.print(f"refused: {_text(reply)}", markup=False)
        return None
    return reply[1].decode(errors="replace").split()[-1]


def _text(reply: tuple[int, bytes]) -> str:
    return f"{reply[0]} {reply[1].decode(errors='replace')}"


def _follow(settings: Settings, identity: str) -> int:
    """Print each step of a mail until it has its end, or an action has failed."""
    out.print(f"accepted as {identity}", markup=False)
    url = f"{settings.endpoint_url}/_trigger_stack/events/{identity}"
    printed, deadline = 0, time.monotonic() + _WAIT_S
    while True:
        found = requests.get(url, timeout=30).json()
        (row,) = (one for one in found["events"] if one["id"] == identity)
        steps = [one for one in found["steps"] if one["event"] == identity]
        for step in steps[printed:]:
            out.print(f"  {_line(step)}", markup=False)
        printed = len(steps)
        failed = any(step["name"].endswith(" failed") for step in steps)
        if row["state"] != "pending" or failed or time.monotonic() > deadline:
            break
        time.sleep(_LOOK_EVERY_S)
    if row["state"] == "pending":
        out.print(f"  waits for its next try at {row['due_at']}: make trace ID={identity}")
    else:
        out.print(f"everything that it caused: make trace ID={identity}")
    return 0 if row["state"] in ("done", "discarded") else 1


def _line(step: dict[str, Any]) -> str:
    return f"{step['name']}: {step['detail']}" if step["detail"] else str(step["name"])

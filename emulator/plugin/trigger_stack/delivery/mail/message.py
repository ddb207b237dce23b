"""A mail that was received: its envelope, its headers, and what SES says of it.

AWS topic: Amazon SES Developer Guide, "Contents of notifications for Amazon SES email receiving".
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import format_datetime, getaddresses
from pathlib import Path
from typing import Any

#: More of the headers than this is left out of events and notifications.
_MOST_HEADER_BYTES = 10 * 1024
_ID_LETTERS = "0123456789abcdefghijklmnopqrstuv"
#: The test texts of spam filters and virus scanners, in two parts: this file is no mail.
_SPAM = b"XJS*C4JDBQADN1.NSBN3*2IDNEY3" + b"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
_VIRUS = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
#: Fields of ``commonHeaders``: the header, and whether it is a list of addresses.
_COMMON = {
    "from": ("from", True),
    "sender": ("sender", False),
    "replyTo": ("reply-to", True),
    "date": ("date", False),
    "to": ("to", True),
    "cc": ("cc", True),
    "bcc": ("bcc", True),
    "messageId": ("message-id", False),
    "subject": ("subject", False),
}


def new_id() -> str:
    """An id of a mail, in the form of SES's."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(40))


@dataclass(frozen=True)
class Envelope:
    """What the SMTP conversation said.

    Attributes:
        source: Address of ``MAIL FROM``; empty for a bounce.
        recipients: Addresses of ``RCPT TO``.
        peer: IP address of the client.
        helo: The name that the client gave itself.
        tls: Whether the connection was encrypted.
    """

    source: str
    recipients: tuple[str, ...]
    peer: str = "127.0.0.1"
    helo: str = ""
    tls: bool = False


@dataclass
class ReceivedMail:
    """A mail as SES has it.

    Attributes:
        body: As it was received, or the file that has it.
        scanned: Whether a rule for it has ``ScanEnabled``.
        added: Headers that ``AddHeader`` actions put before the others, the newest first.
    """

    id: str
    region: str
    envelope: Envelope
    body: bytes | Path
    received: datetime
    scanned: bool = False
    added: list[tuple[str, str]] = field(default_factory=list)
    _verdicts: tuple[str, str] | None = None

    @property
    def raw(self) -> bytes:
        """As it was received."""
        return self.body if isinstance(self.body, bytes) else self.body.read_bytes()

    @property
    def verdicts(self) -> tuple[str, str]:
        """Of the scans for spam and for viruses: ``PASS`` or ``FAIL``, ``DISABLED`` without one.

        Only the test texts of spam filters (GTUBE) and virus scanners (EICAR) fail.
        """
        if self._verdicts is None:
            self._verdicts = _scan(self.raw) if self.scanned else ("DISABLED", "DISABLED")
        return self._verdicts

    @property
    def own_headers(self) -> list[tuple[str, str]]:
        """The headers that SES puts before those of the mail."""
        envelope, spam_virus = self.envelope, self.verdicts
        protocol = "ESMTPS" if envelope.tls else "SMTP"
        client = f"client-ip={envelope.peer}; envelope-from={envelope.source}; helo={envelope.helo}"
        headers = [
            ("Return-Path", f"<{envelope.source}>"),
            (
                "Received",
                f"from {envelope.helo} ({envelope.helo} [{envelope.peer}]) by"
                f" inbound-smtp.{self.region}.amazonaws.com with {protocol}"
                f" id {self.id} for {envelope.recipients[0]};"
                f" {format_datetime(self.received.astimezone(UTC))} (UTC)",
            ),
        ]
        if self.scanned:
            headers += [
                ("X-SES-Spam-Verdict", spam_virus[0]),
                ("X-SES-Virus-Verdict", spam_virus[1]),
            ]
        return [
            *self.added,
            *headers,
            ("Received-SPF", f"none (spfCheck: nothing is looked up) {client};"),
            ("Authentication-Results", "amazonses.com; spf=none; dkim=none; dmarc=none;"),
        ]

    @property
    def content(self) -> bytes:
        """The mail as it is stored and published: with the headers of SES before its own."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.own_headers)
        return head.encode("utf-8", "replace") + self.raw

    def describe(self) -> dict[str, Any]:
        """``mail`` of events and notifications."""
        headers = [*self.own_headers, *headers_of(self.raw)]
        shown, size = [], 0
        for name, value in headers:
            size += len(name) + len(value)
            if size > _MOST_HEADER_BYTES:
                break
            shown.append({"name": name, "value": value})
        return {
            "timestamp": iso(self.received),
            "source": self.envelope.source,
            "messageId": self.id,
            "destination": self._destination(headers),
            "headersTruncated": len(shown) < len(headers),
            "headers": shown,
            "commonHeaders": {"returnPath": self.envelope.source, **common_headers(headers)},
        }

    def _destination(self, headers: Sequence[tuple[str, str]]) -> list[str]:
        """Everybody whom the headers To and Cc name; else the recipients of the envelope."""
        values = [value for name, value in headers if name.lower() in ("to", "cc")]
        named = [address for _, address in getaddresses(values) if "@" in address]
        return list(dict.fromkeys(named)) or list(self.envelope.recipients)

    def receipt(
        self, recipients: Sequence[str], action: dict[str, Any], now: datetime
    ) -> dict[str, Any]:
        """``receipt`` of events and notifications.

        Args:
            recipients: Those that match the rule.
            action: What is being done.
            now: The time.
        """
        spam, virus = self.verdicts
        return {
            "timestamp": iso(self.received),
            "processingTimeMillis": max(0, round((now - self.received).total_seconds() * 1000)),
            "recipients": list(recipients),
            "spamVerdict": {"status": spam},
            "virusVerdict": {"status": virus},
            # No name is looked up on this machine, so nothing is known of the sender's domain.
            "spfVerdict": {"status": "GRAY"},
            "dkimVerdict": {"status": "GRAY"},
            "dmarcVerdict": {"status": "GRAY"},
            "action": action,
        }


def lambda_event(mail: dict[str, Any], receipt: dict[str, Any]) -> dict[str, Any]:
    """The event of a Lambda action."""
    record = {
        "eventSource": "aws:ses",
        "eventVersion": "1.0",
        "ses": {"mail": mail, "receipt": receipt},
    }
    return {"Records": [record]}


def iso(moment: datetime) -> str:
    """A time as SES writes it: ``2019-08-05T21:30:02.028Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def headers_of(raw: bytes) -> list[tuple[str, str]]:
    """Names and values of a mail's headers, unfolded; never fails, whatever the bytes are."""
    end = re.search(rb"\r?\n\r?\n", raw)
    head = (raw[: end.start()] if end else raw).decode("utf-8", "replace")
    headers: list[tuple[str, list[str]]] = []
    for line in re.split(r"\r?\n", head):
        name, colon, value = line.partition(":")
        if line[:1] in (" ", "\t"):
            if headers:
                headers[-1][1].append(line.strip())
        elif colon and re.fullmatch(r"[!-9;-~]+", name.rstrip()):
            headers.append((name.rstrip(), [value.strip()]))
        else:
            break  # no header: the body begins without an empty line
    return [(name, " ".join(part for part in parts if part)) for name, parts in headers]


def common_headers(headers: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The headers that most mails have, by the names that SES gives them."""
    found: dict[str, str] = {}
    for name, value in headers:
        found.setdefault(name.lower(), value)
    common: dict[str, Any] = {}
    for name, (header, is_list) in _COMMON.items():
        if header in found:
            text = decoded(found[header])
            common[name] = _addresses(found[header]) if is_list else text
    return common


def decoded(value: str) -> str:
    """A header's text, its encoded words decoded."""
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value


def _addresses(value: str) -> list[str]:
    """The addresses of a header, as they are written there."""
    pieces: list[str] = []
    current, quoted, depth = "", False, 0
    for letter in value:
        if letter == '"':
            quoted = not quoted
        depth += (letter in "<(") - (letter in ">)") if not quoted else 0
        if letter == "," and not quoted and depth <= 0:
            pieces.append(current)
            current = ""
        else:
            current += letter
    return [decoded(piece.strip()) for piece in [*pieces, current] if piece.strip()]


def _scan(raw: bytes) -> tuple[str, str]:
    """The verdicts on spam and viruses."""
    parts = [raw, *_decoded_parts(raw)] if _has_encoded_part(raw) else [raw]
    return (
        "FAIL" if any(_SPAM in part for part in parts) else "PASS",
        "FAIL" if any(_VIRUS in part for part in parts) else "PASS",
    )


def _has_encoded_part(raw: bytes) -> bool:
    return re.search(rb"(?im)^content-transfer-encoding:\s*base64", raw) is not None


def _decoded_parts(raw: bytes) -> Iterator[bytes]:
    """The decoded contents of a mail's parts."""
    try:
        message: Message = BytesParser().parsebytes(raw)
        for part in message.walk():
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                yield content
    except (RecursionError, ValueError, LookupError):
        return  # what cannot be read has nothing to be found in


def published(content: bytes, encoding: str | None) -> str:
    """A mail as an ``SNS`` action publishes it: as text, or Base64."""
    if (encoding or "UTF-8").lower() == "base64":
        return base64.b64encode(content).decode()
    return content.decode("utf-8", "replace")

"""A mail with a logo: for which brand it is, and the picture in it."""

from __future__ import annotations

import email
import email.policy
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from functions.shared.names import is_brand_id

#: What Rekognition takes as bytes.
MAX_LOGO_BYTES = 5 * 1024 * 1024
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class WrongMailError(ValueError):
    """The mail cannot be used. Its text tells the sender why."""


@dataclass(frozen=True)
class LogoMail:
    """What the function makes of a mail."""

    brand_id: str
    logo: bytes


def brand_of(recipients: Sequence[str]) -> str:
    """The brand that a mail is for: the label of its recipient, `logo+<brandId>@…`.

    Raises:
        WrongMailError: There is no label, it is no brand id, or there are several.
    """
    labels = {one.partition("@")[0].partition("+")[2].lower() for one in recipients} - {""}
    if len(labels) > 1:
        raise WrongMailError("Write to the address of one brand at a time.")
    label = next(iter(labels), "")
    if not is_brand_id(label):
        raise WrongMailError(
            "Write to logo+<brandId>@…, with the id of the brand: logo+acme@… for the brand acme."
        )
    return label


def logo_of(raw: bytes) -> bytes:
    """The one PNG in a mail.

    Args:
        raw: The mail as it was received.

    Raises:
        WrongMailError: There is none, or more than one, or it is too large or no PNG.
    """
    message = email.message_from_bytes(raw, policy=email.policy.default)
    found = [part for part in _parts(message) if _says_png(part)]
    if not found:
        raise WrongMailError("Attach the logo as a PNG: the mail has none.")
    if len(found) > 1:
        raise WrongMailError(f"Attach one PNG: the mail has {len(found)}.")
    content = found[0].get_payload(decode=True)
    data = content if isinstance(content, bytes) else b""
    if len(data) > MAX_LOGO_BYTES:
        raise WrongMailError(
            f"The PNG has {len(data) / 2**20:.1f} MB: it may have {MAX_LOGO_BYTES // 2**20}."
        )
    if not is_png(data):
        raise WrongMailError("The attachment is called a PNG, and is none, or is damaged.")
    return data


def _parts(message: EmailMessage) -> list[EmailMessage]:
    return [part for part in message.walk() if isinstance(part, EmailMessage)]


def _says_png(part: EmailMessage) -> bool:
    if part.is_multipart():
        return False
    name = part.get_filename() or ""
    return part.get_content_type() == "image/png" or name.lower().endswith(".png")


def is_png(data: bytes) -> bool:
    """Whether bytes are a whole PNG: its signature, and chunks up to `IEND` with right checksums.

    Follows the PNG specification, "5 Datastream structure".
    """
    if not data.startswith(_SIGNATURE):
        return False
    at, first = len(_SIGNATURE), True
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data) or (first and (kind != b"IHDR" or length != 13)):
            return False
        if zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4]):
            return False
        if kind == b"IEND":
            return True
        at, first = end + 4, False
    return False

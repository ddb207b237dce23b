"""A mail with a PNG becomes a logo, once; a wrong one is answered."""

from __future__ import annotations

import io
import struct
import zlib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from function_fakes import FakeSes, FakeTable, InMemoryStore, client_error

from functions.logo_by_mail import handler as logo_by_mail
from functions.logo_by_mail.mail import WrongMailError, brand_of, is_png, logo_of

LOGO = (Path(__file__).parents[3] / "samples" / "flat-mark.png").read_bytes()
CONTACT = "brand@acme.example"


class FakeS3:
    """Objects by bucket and key."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.puts: list[dict[str, Any]] = []
        self.fail_with: Exception | None = None

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  boto3's names
        if (Bucket, Key) not in self.objects:
            raise client_error("NoSuchKey")
        return {"Body": io.BytesIO(self.objects[Bucket, Key])}

    def put_object(self, **put: Any) -> dict[str, Any]:
        if self.fail_with:
            raise self.fail_with
        place = (put["Bucket"], put["Key"])
        if put.get("IfNoneMatch") == "*" and place in self.objects:
            raise client_error("PreconditionFailed")
        self.puts.append(put)
        self.objects[place] = put["Body"]
        return {}


def mail(*attachments: tuple[str, str, bytes]) -> bytes:
    message = EmailMessage()
    message["Subject"] = "Our logo"
    message.set_content("Here it is.")
    for name, kind, content in attachments:
        main, sub = kind.split("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return message.as_bytes()


class World:
    """The event of one mail, and what the function talks to."""

    def __init__(self, event: dict[str, Any], s3: FakeS3, ses: FakeSes) -> None:
        self.event, self.s3, self.ses = event, s3, ses
        self.message = event["Records"][0]["ses"]
        self.receives(mail(("logo.png", "image/png", LOGO)))

    @property
    def id(self) -> str:
        return self.message["mail"]["messageId"]

    def receives(self, raw: bytes) -> None:
        self.s3.objects["brand-mail-bucket", f"inbound/{self.id}"] = raw

    @property
    def answers(self) -> list[str]:
        return [one["Content"]["Simple"]["Body"]["Text"]["Data"].strip() for one in self.ses.mails]


@pytest.fixture
def world(event, monkeypatch) -> World:
    s3, ses, brands = FakeS3(), FakeSes(), FakeTable("brandId")
    brands.put_item(Item={"brandId": "acme", "contactEmail": CONTACT})
    brands.put_item(
        Item={"brandId": "gone", "contactEmail": CONTACT, "deletedAt": "2026-01-01T00:00:00Z"}
    )
    for name, fake in (("s3", s3), ("ses", ses), ("brands", brands)):
        monkeypatch.setattr(logo_by_mail, name, fake)
    InMemoryStore().stand_in_for(logo_by_mail.store, monkeypatch)
    return World(event("ses_receipt"), s3, ses)


def test_the_png_is_stored_and_the_sender_is_told(world, context):
    (result,) = logo_by_mail.handler(world.event, context)

    key = f"logos/acme/mail-{world.id}.png"
    (put,) = world.s3.puts
    assert (put["Bucket"], put["Key"], put["Body"]) == ("brand-assets-bucket", key, LOGO)
    assert put["ContentType"] == "image/png"
    assert (result["brandId"], result["key"]) == ("acme", key)
    assert world.answers == ["The logo of acme was received, and is being looked at."]
    (sent,) = world.ses.mails
    assert sent["Destination"] == {"ToAddresses": [CONTACT]}
    headers = {one["Name"]: one["Value"] for one in sent["Content"]["Simple"]["Headers"]}
    assert headers == {"Auto-Submitted": "auto-replied", "In-Reply-To": "<logo-1@acme.example>"}


def test_a_mail_that_comes_twice_counts_once(world, context):
    first = logo_by_mail.handler(world.event, context)

    assert logo_by_mail.handler(world.event, context) == first
    assert len(world.s3.puts) == len(world.ses.mails) == 1


def test_an_attempt_that_failed_after_the_put_goes_on_from_there(world, context):
    world.ses.refused[CONTACT] = client_error("Throttling")
    with pytest.raises(Exception, match="Throttling"):
        logo_by_mail.handler(world.event, context)
    world.ses.refused.clear()

    logo_by_mail.handler(world.event, context)

    assert len(world.s3.puts) == 1
    assert len(world.ses.mails) == 1


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (mail(), "the mail has none"),
        (b"\xff\x00 no mail at all", "the mail has none"),
        (mail(("logo.gif", "image/gif", b"GIF89a")), "the mail has none"),
        (mail(*[("a.png", "image/png", LOGO)] * 2), "the mail has 2"),
        (mail(("a.png", "image/png", b"<svg/>")), "is none, or is damaged"),
        (mail(("a.png", "image/png", LOGO[:100])), "is none, or is damaged"),
        (mail(("a.png", "image/png", b"")), "is none, or is damaged"),
        (mail(("a.png", "image/png", LOGO + b"x" * 5 * 2**20)), "it may have 5"),
    ],
    ids=["none", "no mail", "gif", "two", "svg", "cut off", "empty", "large"],
)
def test_a_wrong_mail_is_answered_and_logged(world, context, logged, raw, says):
    world.receives(raw)
    lines = logged(logo_by_mail)

    (result,) = logo_by_mail.handler(world.event, context)

    assert says in result["wrong"]
    assert says in world.answers[0]
    assert world.s3.puts == []
    assert lines.at("WARNING")[0]["reason"] == result["wrong"]
    assert lines.at("WARNING")[0]["message_id"] == world.id


@pytest.mark.parametrize("brand", ["nobody", "gone"])
def test_a_brand_that_is_not_there_is_answered(world, context, brand):
    world.message["receipt"]["recipients"] = [f"logo+{brand}@brand-platform.example"]

    logo_by_mail.handler(world.event, context)

    assert world.answers == [f"You are not the contact of a brand {brand}."]
    assert world.s3.puts == []


def test_only_the_contact_may_send_a_logo(world, context):
    world.message["mail"]["source"] = "eve@client.example"

    logo_by_mail.handler(world.event, context)

    assert world.answers == ["You are not the contact of a brand acme."]


def test_the_address_is_compared_without_its_case(world, context):
    world.message["mail"]["source"] = "Brand@ACME.example"

    logo_by_mail.handler(world.event, context)

    assert len(world.s3.puts) == 1


@pytest.mark.parametrize("check", ["spam", "virus", "spf", "dkim", "dmarc"])
def test_a_mail_that_failed_a_check_is_dropped_and_logged(world, context, logged, check):
    world.message["receipt"][f"{check}Verdict"] = {"status": "FAIL"}
    lines = logged(logo_by_mail)

    (result,) = logo_by_mail.handler(world.event, context)

    assert result["dropped"] == [check]
    assert world.answers == []
    assert world.s3.puts == []
    assert lines.at("WARNING")[0]["checks"] == [check]


@pytest.mark.parametrize(
    ("source", "header"),
    [
        ("", None),
        (CONTACT, {"name": "Auto-Submitted", "value": "auto-replied"}),
        (CONTACT, {"name": "auto-submitted", "value": "auto-generated"}),
    ],
)
def test_programs_and_bounces_are_not_answered(world, context, source, header):
    world.message["mail"]["source"] = source
    if header:
        world.message["mail"]["headers"].append(header)

    logo_by_mail.handler(world.event, context)

    assert world.answers == []


def test_a_mail_without_an_id_of_its_own_is_answered(world, context):
    del world.message["mail"]["commonHeaders"]["messageId"]

    logo_by_mail.handler(world.event, context)

    assert len(world.answers) == 1


def test_what_fails_is_raised_so_that_lambda_tries_again(world, context):
    world.s3.fail_with = client_error("SlowDown")

    with pytest.raises(Exception, match="SlowDown"):
        logo_by_mail.handler(world.event, context)
    assert world.answers == []


@pytest.mark.parametrize(
    ("recipients", "brand"),
    [
        (["logo+acme@x.example"], "acme"),
        (["Logo+ACME@x.example"], "acme"),
        (["logo+acme@x.example", "logo@x.example"], "acme"),
        (["logo+a-b-1@x.example"], "a-b-1"),
    ],
)
def test_the_brand_is_the_label_of_the_address(recipients, brand):
    assert brand_of(recipients) == brand


@pytest.mark.parametrize(
    "recipients",
    [[], ["logo@x.example"], ["logo+@x.example"], ["logo+../x@x.example"], ["logo+a_b@x.example"]],
)
def test_an_address_without_a_brand(recipients):
    with pytest.raises(WrongMailError, match="Write to logo"):
        brand_of(recipients)


def test_an_address_with_two_brands():
    with pytest.raises(WrongMailError, match="one brand at a time"):
        brand_of(["logo+a@x.example", "logo+b@x.example"])


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


SIGNATURE = b"\x89PNG\r\n\x1a\n"
IHDR = chunk(b"IHDR", bytes(13))


@pytest.mark.parametrize(
    ("data", "is_one"),
    [
        (LOGO, True),
        (SIGNATURE + IHDR + chunk(b"IEND", b""), True),
        (b"", False),
        (SIGNATURE, False),
        (SIGNATURE + chunk(b"IEND", b""), False),
        (SIGNATURE + IHDR, False),
        (SIGNATURE + chunk(b"IHDR", bytes(12)) + chunk(b"IEND", b""), False),
        (SIGNATURE + IHDR[:-1] + b"x" + chunk(b"IEND", b""), False),
        (SIGNATURE + IHDR + struct.pack(">I", 2**32 - 1) + b"IDAT" + bytes(8), False),
        (b"\xff\xd8\xff\xe0" + LOGO, False),
    ],
    ids=[f"case-{number}" for number in range(10)],
)
def test_a_png_is_told_by_its_chunks(data, is_one):
    assert is_png(data) is is_one


def test_a_png_is_found_by_its_name_or_its_type():
    assert logo_of(mail(("LOGO.PNG", "application/octet-stream", LOGO))) == LOGO
    assert logo_of(mail(("logo", "image/png", LOGO))) == LOGO

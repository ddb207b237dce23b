"""SES receipt rule `logo-by-mail` → `logo_by_mail` → `process_logo`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.running import ROOT, bootstrap
from tests.e2e.smtp import LOGO, accepted, message, send
from tests.support.waiting import eventually

ASSETS, MAILS = "brand-assets-bucket", "brand-mail-bucket"


@pytest.fixture
def brand(brand_id, brand_body, put_brand):
    """A brand: its id, the address for its logo, and its contact's address."""
    assert put_brand(brand_id, brand_body).status_code == 201
    return brand_id, f"logo+{brand_id}@brand-platform.example", brand_body["contactEmail"]


def answers(mails, address):
    return [mail["Body"]["text_part"].strip() for mail in mails(address)]


def versions(aws, brand_id):
    found = aws("s3").list_object_versions(Bucket=ASSETS, Prefix=f"logos/{brand_id}/")
    return found.get("Versions", [])


def test_a_mailed_logo_is_stored_and_processed(aws, api, brand, mails, journal):
    import requests

    brand_id, address, contact = brand
    mail = accepted(contact, address, message(contact, address, ("logo.png", LOGO)))

    key = f"logos/{brand_id}/mail-{mail}.png"
    stored = eventually(lambda: versions(aws, brand_id))
    assert [one["Key"] for one in stored] == [key]
    assert aws("s3").get_object(Bucket=ASSETS, Key=key)["Body"].read() == LOGO
    kept = aws("s3").get_object(Bucket=MAILS, Key=f"inbound/{mail}")["Body"].read()
    assert kept.startswith(b"Return-Path: <" + contact.encode())

    def has_logo():
        return requests.get(f"{api}/brand/{brand_id}", timeout=30).json().get("logoUrl")

    assert eventually(has_logo).endswith(f"/{key}")
    (text,) = eventually(lambda: answers(mails, contact))
    assert text == f"The logo of {brand_id} was received, and is being looked at."
    trace = journal.trace(mail)["events"]
    functions = {one["function"].rpartition(":")[2] for one in trace}
    assert {"logo_by_mail", "process_logo"} <= functions
    assert journal.event(mail)["state"] == "done"
    assert not [one for one in trace if one["state"] == "lost"]


@pytest.mark.parametrize(
    ("attachments", "says"),
    [
        ([], "Attach the logo as a PNG: the mail has none."),
        ([("logo.jpg", b"x")], "Attach the logo as a PNG: the mail has none."),
        ([("a.png", LOGO), ("b.png", LOGO)], "Attach one PNG: the mail has 2."),
        ([("a.png", LOGO[:-20])], "The attachment is called a PNG, and is none, or is damaged."),
        ([("a.png", LOGO + b"x" * 6_000_000)], "The PNG has 5.7 MB: it may have 5."),
    ],
    ids=["none", "no-png", "two", "damaged", "large"],
)
def test_a_mail_that_cannot_be_used_is_answered(aws, brand, mails, journal, attachments, says):
    brand_id, address, contact = brand

    mail = accepted(contact, address, message(contact, address, *attachments))

    assert eventually(lambda: answers(mails, contact)) == [says]
    assert versions(aws, brand_id) == []
    assert journal.event(mail)["state"] == "done"


def test_only_the_contact_of_a_brand_may_mail_its_logo(brand, mails, brand_id):
    _, address, _ = brand
    stranger, nobody = f"{brand_id}@stranger.example", f"logo+no-{brand_id}@brand-platform.example"

    accepted(stranger, address, message(stranger, address, ("a.png", LOGO)))
    assert eventually(lambda: answers(mails, stranger)) == [
        f"You are not the contact of a brand {brand_id}."
    ]
    accepted(stranger, nobody, message(stranger, nobody, ("a.png", LOGO)))
    eventually(
        lambda: f"You are not the contact of a brand no-{brand_id}." in answers(mails, stranger)
    )


def test_an_address_without_a_brand_is_answered(mails, brand_id):
    sender, address = f"{brand_id}@client.example", "logo@brand-platform.example"

    accepted(sender, address, message(sender, address, ("a.png", LOGO)))

    (text,) = eventually(lambda: answers(mails, sender))
    assert text.startswith("Write to logo+<brandId>@")


def test_an_address_that_no_rule_is_for_is_refused():
    code, text = send("a@client.example", "other@brand-platform.example", b"x")

    assert code == 550
    assert text.startswith("5.1.1 Requested action not taken: mailbox unavailable")


def test_an_event_that_comes_twice_counts_once(aws, brand, mails, journal):
    brand_id, address, contact = brand
    mail = accepted(contact, address, message(contact, address, ("logo.png", LOGO)))
    eventually(lambda: answers(mails, contact))

    # The answer is sent before the function ends: until then a copy counts as work in progress.
    def done() -> list[dict[str, Any]]:
        events = journal.trace(mail)["events"]
        return [
            one
            for one in events
            if one["function"].endswith(":logo_by_mail") and one["state"] == "done"
        ]

    (first,) = eventually(done)
    again = aws("lambda").invoke(FunctionName="logo_by_mail", Payload=first["payload"].encode())

    assert "FunctionError" not in again
    assert len(answers(mails, contact)) == 1
    assert len(versions(aws, brand_id)) == 1


def test_a_failure_ends_in_the_dead_letter_queue(aws, brand, dead_letters):
    """The mail is no longer in the bucket when the function looks for it."""
    brand_id, address, contact = brand
    gone = f"gone{brand_id.replace('-', '')}"
    event = json.loads((ROOT / "tests/events/ses_receipt.json").read_text())
    ses = event["Records"][0]["ses"]
    ses["mail"] |= {"messageId": gone, "source": contact}
    ses["receipt"]["recipients"] = [address]

    aws("lambda").invoke(
        FunctionName="logo_by_mail", InvocationType="Event", Payload=json.dumps(event)
    )

    letter = json.loads(dead_letters("logo-by-mail-dlq", gone, 40)["Body"])
    assert letter["requestContext"]["condition"] == "RetriesExhausted"
    assert letter["responsePayload"]["errorType"] == "NoSuchKey"


def test_mail_in_says_what_happened(tmp_path, brand, aws):
    brand_id, address, contact = brand
    file = tmp_path / "logo.eml"
    file.write_bytes(message(contact, address, ("logo.png", LOGO)).as_bytes())

    sent = bootstrap("mail-in", str(file))

    assert sent.returncode == 0, sent.stdout + sent.stderr
    text = " ".join(sent.stdout.split())
    assert "rule logo-by-mail: S3: s3://brand-mail-bucket/inbound/" in text
    assert "function:logo_by_mail invoked" in text
    eventually(lambda: versions(aws, brand_id))

    refused = bootstrap("mail-in", str(file), "--to", "nobody@brand-platform.example")
    assert refused.returncode == 1
    assert "550 5.1.1" in refused.stdout

"""One mail for a reminder of a brand that still is there."""

from __future__ import annotations

import pytest
from function_fakes import FakeSes, FakeTable, InMemoryStore, client_error

from functions.brand_review_reminder import handler as reminder
from functions.brand_review_reminder.reminder import BadReminderError, parse_reminder

EVENT = {"brandId": "acme", "scheduledTime": "2026-03-02T12:00:01Z"}


@pytest.fixture
def ses(monkeypatch):
    fake = FakeSes()
    monkeypatch.setattr(reminder, "ses", fake)
    InMemoryStore().stand_in_for(reminder.store, monkeypatch)
    return fake


@pytest.fixture
def brands(monkeypatch):
    table = FakeTable("brandId")
    table.put_item(
        Item={
            "brandId": "acme",
            "contactEmail": "brand@acme.example",
            "updatedAt": "2026-01-31T12:00:00.000000Z",
        }
    )
    monkeypatch.setattr(reminder, "brands", table)
    return table


def test_the_contact_gets_a_mail(ses, brands, context):
    assert reminder.handler(EVENT, context) == {"brandId": "acme", "sent": True}

    (mail,) = ses.mails
    assert ses.addresses == ["brand@acme.example"]
    assert mail["Source"] == "notifications@brand-platform.example"
    assert mail["Message"]["Subject"]["Data"] == "Please review: acme"
    assert "last changed on 2026-01-31" in mail["Message"]["Body"]["Text"]["Data"]


def test_an_event_that_comes_twice_is_one_mail(ses, brands, context):
    for _ in range(2):
        reminder.handler(EVENT, context)

    assert len(ses.mails) == 1


def test_another_reminder_of_the_brand_is_another_mail(ses, brands, context):
    reminder.handler(EVENT, context)
    reminder.handler(EVENT | {"scheduledTime": "2026-04-01T12:00:01Z"}, context)

    assert len(ses.mails) == 2


@pytest.mark.parametrize("left", [{}, {"deletedAt": "2026-02-01T00:00:00.000000Z"}])
def test_a_brand_that_was_deleted_gets_none(ses, brands, context, left, logged):
    lines = logged(reminder)
    brands.items.clear()
    if left:
        brands.put_item(Item={"brandId": "acme", "contactEmail": "brand@acme.example", **left})

    assert reminder.handler(EVENT, context) == {"brandId": "acme", "sent": False}

    assert not ses.mails
    assert lines.at("INFO")[-1]["message"] == "No such brand any longer: no mail"


def test_a_refusal_of_ses_is_raised_and_the_retry_sends(ses, brands, context):
    ses.refused["brand@acme.example"] = client_error("Throttling", "SendEmail")
    with pytest.raises(Exception, match="Throttling"):
        reminder.handler(EVENT, context)
    ses.refused.clear()

    reminder.handler(EVENT, context)

    assert len(ses.mails) == 1


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (None, "not a JSON object"),
        ({}, "brandId"),
        (EVENT | {"brandId": "../acme"}, "brandId"),
        (EVENT | {"brandId": 7}, "brandId"),
        ({"brandId": "acme"}, "scheduledTime"),
        (EVENT | {"scheduledTime": "soon"}, "scheduledTime"),
        (EVENT | {"scheduledTime": "2026-03-02T12:00:01"}, "scheduledTime"),
    ],
)
def test_what_is_no_reminder_says_so(event, reason):
    with pytest.raises(BadReminderError, match=reason):
        parse_reminder(event)

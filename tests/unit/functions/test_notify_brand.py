"""One mail for each good message; a bad one is reported alone, with its reason in the log."""

from __future__ import annotations

import copy
import json

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
)
from function_fakes import FakeSes, InMemoryStore, client_error

from functions.notify_brand import handler as notify_brand
from functions.notify_brand.message import BadMessageError, parse_notification

GOOD = {"brandId": "acme", "eventType": "BrandUpdated", "notifyEmail": "brand@acme.example"}


@pytest.fixture
def ses(monkeypatch):
    fake = FakeSes()
    monkeypatch.setattr(notify_brand, "ses", fake)
    InMemoryStore().stand_in_for(notify_brand.store, monkeypatch)
    return fake


@pytest.fixture
def batch(event):
    return event("sqs-notifications")


def failed(response):
    return [item["itemIdentifier"] for item in response["batchItemFailures"]]


def test_every_message_is_a_mail(ses, batch, context):
    response = notify_brand.handler(batch, context)

    assert failed(response) == []
    assert ses.addresses == ["brand@acme.example", "brand@globex.example", "brand@initech.example"]
    assert ses.mails[0]["Source"] == "notifications@brand-platform.example"
    assert ses.mails[0]["Message"]["Subject"]["Data"] == "BrandUpdated: acme"


def test_a_bad_message_fails_alone_with_a_warning_and_its_neighbours_are_mailed(
    ses, batch, context, logged
):
    lines = logged(notify_brand)
    batch["Records"][1]["body"] = "{not json"

    response = notify_brand.handler(batch, context)

    assert failed(response) == [batch["Records"][1]["messageId"]]
    assert ses.addresses == ["brand@acme.example", "brand@initech.example"]
    (line,) = lines.at("WARNING")
    assert line["reason"] == "the body is not JSON"
    assert line["message_id"] == batch["Records"][1]["messageId"]
    assert not lines.at("ERROR")


def test_a_batch_of_only_bad_messages_is_reported_item_by_item(ses, batch, context):
    for record in batch["Records"]:
        record["body"] = "{}"

    response = notify_brand.handler(batch, context)

    assert failed(response) == [record["messageId"] for record in batch["Records"]]
    assert not ses.mails


def test_a_bug_is_a_failed_item_too_and_has_its_stack_trace_in_the_log(ses, batch, context, logged):
    lines = logged(notify_brand)
    ses.refused["brand@globex.example"] = KeyError("a programming error")

    response = notify_brand.handler(batch, context)

    assert failed(response) == [batch["Records"][1]["messageId"]]
    assert len(ses.mails) == 2
    (line,) = lines.at("ERROR")
    assert "Traceback" in line["exception"]
    assert line["exception_name"] == "KeyError"


def test_a_redelivered_message_is_not_mailed_again(ses, batch, context):
    notify_brand.handler(copy.deepcopy(batch), context)
    response = notify_brand.handler(batch, context)

    assert failed(response) == []
    assert len(ses.mails) == 3


def test_after_a_partial_failure_only_the_failed_message_is_mailed_on_retry(ses, batch, context):
    ses.refused["brand@globex.example"] = client_error("Throttling", "SendEmail")
    notify_brand.handler(copy.deepcopy(batch), context)
    ses.refused.clear()

    response = notify_brand.handler(batch, context)

    assert failed(response) == []
    assert sorted(ses.addresses) == [
        "brand@acme.example",
        "brand@globex.example",
        "brand@initech.example",
    ]


def test_two_deliveries_at_once_are_one_mail(ses, batch, context, logged):
    lines = logged(notify_brand)
    batch["Records"] = batch["Records"][:1]
    second = []
    send_email = ses.send_email

    def send_while_delivered_again(**mail):
        ses.send_email = send_email
        # As another execution environment would: this one's processor is at work.
        record = SQSRecord(batch["Records"][0])
        with pytest.raises(IdempotencyAlreadyInProgressError):
            notify_brand.process(record)
        second.append(record.message_id)
        return send_email(**mail)

    ses.send_email = send_while_delivered_again
    response = notify_brand.handler(batch, context)

    assert failed(response) == []
    assert second == [batch["Records"][0]["messageId"]]
    assert len(ses.mails) == 1
    assert lines.at("WARNING")[0]["message"] == "Another delivery is being handled"


def test_two_messages_with_the_same_text_are_two_mails(ses, batch, context):
    batch["Records"][1]["body"] = batch["Records"][0]["body"]

    notify_brand.handler(batch, context)

    assert ses.addresses.count("brand@acme.example") == 2


def test_fields_that_are_not_known_are_ignored():
    assert parse_notification(json.dumps(GOOD | {"more": 1})).brand_id == "acme"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("{}", "missing: brandId, eventType, notifyEmail"),
        (json.dumps({key: GOOD[key] for key in ("brandId", "eventType")}), "missing: notifyEmail"),
        (json.dumps(GOOD | {"brandId": "../acme"}), "brandId"),
        (json.dumps(GOOD | {"brandId": 7}), "brandId"),
        (json.dumps(GOOD | {"eventType": ""}), "eventType"),
        (json.dumps(GOOD | {"eventType": "a\r\nBcc: b@c.example"}), "eventType"),
        (json.dumps(GOOD | {"notifyEmail": None}), "notifyEmail"),
        (json.dumps(GOOD | {"notifyEmail": "nobody"}), "notifyEmail"),
        (json.dumps(GOOD | {"notifyEmail": "a@b.example, c@d.example"}), "notifyEmail"),
        (json.dumps(GOOD | {"notifyEmail": "a@b.example\n"}), "notifyEmail"),
        (json.dumps(GOOD | {"notifyEmail": "a@" + "b" * 63 + ".x" * 100}), "notifyEmail"),
    ],
)
def test_a_bad_message_says_what_is_wrong(body, reason):
    with pytest.raises(BadMessageError, match=reason):
        parse_notification(body)

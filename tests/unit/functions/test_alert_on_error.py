"""One mail for the errors of a function in a minute, however often they come."""

from __future__ import annotations

import base64
import gzip
import json
import zlib

import pytest
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
)
from function_fakes import FakeSes, InMemoryStore, client_error

from functions.alert_on_error import handler as alert_on_error

MINUTE = 1795857480000  # 2026-11-28T09:18Z


@pytest.fixture
def ses(monkeypatch):
    fake = FakeSes()
    monkeypatch.setattr(alert_on_error, "ses", fake)
    InMemoryStore().stand_in_for(alert_on_error.store, monkeypatch)
    return fake


def logs(*messages, group="/aws/lambda/put_brand", at=MINUTE, kind="DATA_MESSAGE"):
    document = {
        "messageType": kind,
        "owner": "000000000000",
        "logGroup": group,
        "logStream": "s",
        "subscriptionFilters": ["f"],
        "logEvents": [
            {"id": str(number), "timestamp": at + number, "message": message}
            for number, message in enumerate(messages)
        ],
    }
    data = base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()
    return {"awslogs": {"data": data}}


def subjects(ses):
    return [mail["Message"]["Subject"]["Data"] for mail in ses.mails]


def test_the_errors_of_a_minute_are_one_mail(ses, context):
    assert alert_on_error.handler(logs("[ERROR] one", "[ERROR] two"), context) == {"alerts": 1}

    (mail,) = ses.mails
    assert mail["Destination"]["ToAddresses"] == ["alerts@brand-platform.example"]
    assert subjects(ses) == ["Errors: put_brand 2026-11-28T09:18Z"]
    text = mail["Message"]["Body"]["Text"]["Data"]
    assert "[ERROR] one\n[ERROR] two" in text


def test_later_errors_of_the_minute_and_the_same_event_again_are_no_other_mail(ses, context):
    event = logs("[ERROR] one")
    for one in (event, event, logs("[ERROR] two", at=MINUTE + 59_000)):
        alert_on_error.handler(one, context)

    assert len(ses.mails) == 1


def test_another_minute_and_another_function_are_other_mails(ses, context):
    alert_on_error.handler(logs("[ERROR] one", at=MINUTE + 59_999), context)
    alert_on_error.handler(logs("x", "y", at=MINUTE + 59_999), context)
    alert_on_error.handler(logs("x", group="/aws/lambda/get_brand"), context)

    assert subjects(ses) == [
        "Errors: put_brand 2026-11-28T09:18Z",
        "Errors: put_brand 2026-11-28T09:19Z",
        "Errors: get_brand 2026-11-28T09:18Z",
    ]


def test_a_mail_that_ses_refuses_is_an_error_and_is_sent_by_the_retry(ses, context):
    ses.refused["alerts@brand-platform.example"] = client_error("Throttling", "SendEmail")
    with pytest.raises(Exception, match="Throttling"):
        alert_on_error.handler(logs("x"), context)
    assert not ses.mails

    ses.refused.clear()
    alert_on_error.handler(logs("x"), context)

    assert len(ses.mails) == 1


def test_whoever_comes_second_leaves_it_to_the_first(ses, context, monkeypatch):
    def busy(**_):
        raise IdempotencyAlreadyInProgressError

    monkeypatch.setattr(alert_on_error, "mail_once", busy)

    assert alert_on_error.handler(logs("x"), context) == {"alerts": 1}
    assert not ses.mails


def test_many_and_long_lines_are_cut(ses, context):
    alert_on_error.handler(logs(*["x" * 5000] * 30), context)

    text = ses.mails[0]["Message"]["Body"]["Text"]["Data"]
    assert "… and 10 more" in text
    assert len(text) < 25_000


def test_a_control_message_is_nothing(ses, context):
    assert alert_on_error.handler(logs("x", kind="CONTROL_MESSAGE"), context) == {"alerts": 0}
    assert not ses.mails


@pytest.mark.parametrize(
    "event",
    [{}, {"awslogs": {}}, {"awslogs": {"data": "garbage"}},
     {"awslogs": {"data": base64.b64encode(zlib.compress(b"no JSON")).decode()}}],
)  # fmt: skip
def test_what_is_no_log_data_is_an_error(ses, context, event):
    with pytest.raises(Exception):  # noqa: B017  whatever it is, Lambda tries again
        alert_on_error.handler(event, context)

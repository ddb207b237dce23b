"""What SES says of a mail, whatever its bytes are."""

from __future__ import annotations

import base64
import email
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trigger_stack.delivery.mail.bounces import bounce
from trigger_stack.delivery.mail.message import (
    Envelope,
    ReceivedMail,
    headers_of,
    lambda_event,
    new_id,
    published,
)

NOW = datetime(2026, 1, 31, 12, 0, 0, 28_000, UTC)
ENVELOPE = Envelope("ann@client.example", ("in@shop.example",), "127.0.0.1", "client.example")
RAW = (
    b'From: "Doe, Ann" <ann@client.example>,\r\n bob@client.example\r\n'
    b"To: =?utf-8?q?Caf=C3=A9?= <in@shop.example>\r\nCc: other@shop.example\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Sat, 31 Jan 2026 12:00:00 +0000\r\n"
    b"Message-ID: <1@client.example>\r\n\r\nhello\r\n"
)


def mail(raw: bytes = RAW, envelope: Envelope = ENVELOPE, **more: Any) -> ReceivedMail:
    return ReceivedMail(new_id(), "us-east-1", envelope, raw, NOW, **more)


def test_the_event_of_a_function_has_the_documented_parts() -> None:
    one = mail()
    action = {"type": "Lambda", "functionArn": "arn", "invocationType": "Event"}
    event = lambda_event(
        one.describe(), one.receipt(["in@shop.example"], action, NOW + timedelta(seconds=1.2))
    )

    (record,) = json.loads(json.dumps(event))["Records"]
    assert (record["eventSource"], record["eventVersion"]) == ("aws:ses", "1.0")
    described, receipt = record["ses"]["mail"], record["ses"]["receipt"]
    assert described["timestamp"] == receipt["timestamp"] == "2026-01-31T12:00:00.028Z"
    assert described["source"] == "ann@client.example"
    assert described["messageId"] == one.id
    assert described["destination"] == ["in@shop.example", "other@shop.example"]
    assert described["headersTruncated"] is False
    assert described["commonHeaders"] == {
        "returnPath": "ann@client.example",
        "from": ['"Doe, Ann" <ann@client.example>', "bob@client.example"],
        "date": "Sat, 31 Jan 2026 12:00:00 +0000",
        "to": ["Café <in@shop.example>"],
        "cc": ["other@shop.example"],
        "messageId": "<1@client.example>",
        "subject": "Grüße",
    }
    assert receipt["processingTimeMillis"] == 1200
    assert receipt["recipients"] == ["in@shop.example"]
    assert receipt["action"] == action
    assert receipt["spamVerdict"] == receipt["virusVerdict"] == {"status": "DISABLED"}
    assert {receipt[f"{one}Verdict"]["status"] for one in ("spf", "dkim", "dmarc")} == {"GRAY"}


def test_headers_of_ses_come_before_the_mails_own() -> None:
    one = mail(scanned=True, added=[("X-Added", "yes")])

    names = [header["name"] for header in one.describe()["headers"]]
    assert names[:5] == [
        "X-Added",
        "Return-Path",
        "Received",
        "X-SES-Spam-Verdict",
        "X-SES-Virus-Verdict",
    ]
    stored = email.message_from_bytes(one.content)
    assert stored["X-Added"] == "yes"
    assert one.id in stored["Received"]
    assert one.content.endswith(RAW)


def test_long_headers_are_cut_at_ten_kilobytes() -> None:
    raw = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 900) for n in range(40)) + b"\r\nbody"

    described = mail(raw).describe()

    assert described["headersTruncated"] is True
    assert sum(len(h["name"]) + len(h["value"]) for h in described["headers"]) <= 10 * 1024


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"no headers at all",
        b"\xff\xfe\x00: \x00\r\n\r\n",
        b" folded: first\r\nSubject: x\r\n\r\n",
        b'Subject: =?bogus?q?x?=\r\nFrom: "unclosed <a@b\r\nTo: <<<,,,>>>\r\n\r\n',
        b"Subject: =?utf-8?b?////?=\r\n\r\n",
        b"To: " + b"a@b.example," * 50_000 + b"\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\nContent-Type: multipart/mixed\r\n\r\n--x",
        b"A: b\r\n" * 100_000,
    ],
    ids=[f"case-{number}" for number in range(10)],
)
def test_whatever_the_bytes_are_the_mail_can_be_described(raw: bytes) -> None:
    one = mail(raw, scanned=True)

    json.dumps(one.describe())
    json.dumps(one.receipt([], {"type": "Stop"}, NOW))
    assert one.content.endswith(raw)
    assert published(one.content, None)


def test_a_header_is_unfolded_and_a_body_is_none() -> None:
    assert headers_of(b"A: one\r\n two\r\n\tthree\nB : x\n\nC: body") == [
        ("A", "one two three"),
        ("B", "x"),
    ]


SPAM = "XJS*C4JDBQADN1.NSBN3*2IDNEY3" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
VIRUS = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        ("hello", ("PASS", "PASS")),
        (SPAM, ("FAIL", "PASS")),
        (VIRUS, ("PASS", "FAIL")),
    ],
)
def test_the_scans_find_their_test_texts(text: str, verdicts: tuple[str, str]) -> None:
    plain = b"Subject: x\r\n\r\n" + text.encode()
    encoded = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(text.encode())
        + b"\r\n--b--\r\n"
    )
    for raw in (plain, encoded):
        assert mail(raw, scanned=True).verdicts == verdicts
        assert mail(raw).verdicts == ("DISABLED", "DISABLED")


def test_a_published_mail_is_text_or_base64() -> None:
    content = b"Subject: \xff\r\n\r\nx"
    assert published(content, "UTF-8") == "Subject: \ufffd\r\n\r\nx"
    assert base64.b64decode(published(content, "Base64")) == content


def test_a_bounce_names_whom_it_did_not_reach_and_why() -> None:
    text = bounce(
        mail(),
        ["in@shop.example"],
        sender="postmaster@shop.example",
        message="There is\nnobody.",
        reply_code="550",
        status="5.1.1",
        now=NOW,
    )

    report = email.message_from_bytes(text)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    assert (report["From"], report["To"]) == ("postmaster@shop.example", "ann@client.example")
    _, status, original = report.get_payload()
    recipient = status.get_payload()[1]
    assert recipient["Final-Recipient"] == "rfc822; in@shop.example"
    assert recipient["Status"] == "5.1.1"
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 There is nobody."
    assert "1@client.example" in original.get_payload()

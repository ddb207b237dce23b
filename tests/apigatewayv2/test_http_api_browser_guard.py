"""Requests that a web page could send, against both ports of a running stack."""

from __future__ import annotations

import pytest
import requests

from tests.apigatewayv2.http_api_emulator import Emulator

CREATE_QUEUE = "/?Action=CreateQueue&QueueName=made-by-a-page"


@pytest.mark.parametrize("edge", [True, False], ids=["AWS API", "HTTP API"])
@pytest.mark.parametrize(
    ("headers", "method"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, "GET"),
        ({"Origin": "https://evil.example"}, "POST"),
        ({"Origin": "null"}, "POST"),
        ({"Host": "evil.example"}, "GET"),
    ],
)
def test_a_page_of_another_site_is_refused(
    emulator: Emulator, edge: bool, headers: dict[str, str], method: str
) -> None:
    port = emulator.edge if edge else emulator.port

    answer = requests.request(
        method, f"http://127.0.0.1:{port}{CREATE_QUEUE}", headers=headers, timeout=20
    )

    assert answer.status_code == 403
    assert "ALLOWED_" in answer.json()["message"]
    queues = emulator.client("sqs").list_queues(QueueNamePrefix="made-by-a-page")
    assert "QueueUrls" not in queues


def test_a_form_cannot_upload(emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="guarded")

    answer = requests.post(
        f"http://127.0.0.1:{emulator.edge}/guarded",
        headers={"Origin": "https://evil.example"},
        files={"key": (None, "file"), "file": ("file", b"content")},
        timeout=20,
    )

    assert answer.status_code == 403
    assert "Contents" not in s3.list_objects_v2(Bucket="guarded")

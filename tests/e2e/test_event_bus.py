"""Bus rules → `invalidate_cdn`, `regenerate_palette`, and straight to a queue."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
import requests

from tests.e2e.running import bootstrap
from tests.support.permissions import permit
from tests.support.waiting import eventually

BUS = "brand-platform-bus"


def put_event(aws: Any, detail: dict[str, Any], detail_type: str = "BrandUpdated") -> str:
    answer = aws("events").put_events(
        Entries=[
            {
                "EventBusName": BUS,
                "Source": "brand-platform",
                "DetailType": detail_type,
                "Detail": json.dumps(detail),
            }
        ]
    )
    assert answer["FailedEntryCount"] == 0, answer
    return str(answer["Entries"][0]["EventId"])


def test_a_new_logo_invalidates_the_brands_assets(aws, brand_id, invalidated):
    put_event(aws, {"brandId": brand_id, "changes": {"logoUrl": "https://cdn.example/x.png"}})
    eventually(lambda: f"/logos/{brand_id}/*" in invalidated())


def test_new_colours_get_a_palette(api, put_brand, brand_id, brand_body):
    put_brand(brand_id, {**brand_body, "colors": {"primary": "#0b5fff", "accent": "#ffcc00"}})

    def palette() -> dict[str, Any] | None:
        return requests.get(f"{api}/brand/{brand_id}", timeout=30).json().get("palette")

    found = eventually(palette)
    assert set(found) == {"primary", "accent"}
    assert found["primary"]["text"] == "#ffffff", found["primary"]
    assert found["accent"]["text"] == "#000000", found["accent"]


def test_an_enterprise_brand_is_notified_through_the_queue(put_brand, mails, brand_body):
    brand_id = f"enterprise-{uuid.uuid4().hex[:10]}"
    put_brand(brand_id, brand_body)
    (mail,) = eventually(lambda: mails(brand_body["contactEmail"]))
    assert brand_id in json.dumps(mail)


def test_an_event_that_matches_no_rule_runs_nothing(aws, logs_of, mails, brand_id, invalidated):
    address = f"{uuid.uuid4().hex[:10]}@acme.example"
    other = f"{brand_id}-unmatched"
    for detail_type, detail in (
        ("BrandDeleted", {"changes": {"logoUrl": "https://cdn.example/x.png"}}),
        ("BrandUpdated", {"changes": {"name": "no logo, no colours"}}),
        ("BrandUpdated", {"note": "no changes at all"}),
    ):
        put_event(aws, {"brandId": other, "notifyEmail": address, **detail}, detail_type)
    # The bus took those first: when this one has had its effect, they would have.
    put_event(aws, {"brandId": brand_id, "changes": {"logoUrl": "https://cdn.example/x.png"}})
    eventually(lambda: f"/logos/{brand_id}/*" in invalidated())

    assert f"/logos/{other}/*" not in invalidated()
    for name in ("invalidate_cdn", "regenerate_palette"):
        assert logs_of(name, other) == []
    assert mails(address) == []


def test_a_target_that_is_gone_ends_in_the_targets_dead_letter_queue(
    aws, function, cleanup, brand_id
):
    events, sqs = aws("events"), aws("sqs")
    name = f"test-{uuid.uuid4().hex[:12]}"
    gone = f"arn:aws:lambda:us-east-1:000000000000:function:{name}-gone"
    dlq = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    cleanup.callback(sqs.delete_queue, QueueUrl=dlq)
    arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]
    events.put_rule(
        Name=name,
        EventBusName=BUS,
        EventPattern=json.dumps({"detail": {"brandId": [brand_id]}}),
    )
    cleanup.callback(events.delete_rule, Name=name, EventBusName=BUS)
    permit(aws, arn["QueueArn"])
    target = {"Id": "gone", "Arn": gone, "DeadLetterConfig": {"Arn": arn["QueueArn"]}}
    events.put_targets(Rule=name, EventBusName=BUS, Targets=[target])
    cleanup.callback(events.remove_targets, Rule=name, EventBusName=BUS, Ids=["gone"])

    event_id = put_event(aws, {"brandId": brand_id, "changes": {}})

    (letter,) = eventually(
        lambda: sqs.receive_message(
            QueueUrl=dlq, WaitTimeSeconds=1, MessageAttributeNames=["All"]
        ).get("Messages")
    )
    body = json.loads(letter["Body"])
    assert (body["id"], body["detail"]["brandId"]) == (event_id, brand_id)
    attributes = {k: v["StringValue"] for k, v in letter["MessageAttributes"].items()}
    assert attributes["TARGET_ARN"] == gone
    assert attributes["ERROR_CODE"] == "NO_RESOURCE"
    assert attributes["RULE_ARN"].endswith(f"rule/{BUS}/{name}")


@pytest.mark.xdist_group("letters of palettes")
def test_a_handler_that_fails_is_tried_three_times_and_then_dead_lettered(
    aws, dead_letters, logs_of, brand_id
):
    # No such brand: regenerate_palette cannot store the palette, and says so by raising.
    detail = {"brandId": brand_id, "changes": {"colors": {"primary": "#0b5fff"}}}
    event_id = put_event(aws, detail)

    record = json.loads(dead_letters("regenerate-palette-dlq", event_id, 40)["Body"])

    assert record["requestPayload"]["id"] == event_id
    assert record["requestPayload"]["detail"] == detail
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    request_id = record["requestContext"]["requestId"]
    eventually(lambda: len(logs_of("regenerate_palette", f"START RequestId: {request_id}")) == 3)


def test_an_invalidation_that_fails_ends_in_invalidate_cdn_dlq(
    aws, dead_letters, brand_id, invalidated
):
    # A path made of this could drop other brands' assets: the handler refuses it.
    detail = {"brandId": f"{brand_id}/*", "changes": {"logoUrl": "https://cdn.example/x.png"}}
    event_id = put_event(aws, detail)

    record = json.loads(dead_letters("invalidate-cdn-dlq", event_id, 40)["Body"])

    assert record["requestPayload"]["detail"] == detail
    assert record["requestContext"]["functionArn"].endswith("function:invalidate_cdn:$LATEST")
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "ValueError"
    assert "is not a brand id" in record["responsePayload"]["errorMessage"]
    assert not [path for path in invalidated() if brand_id in path]


@pytest.mark.xdist_group("letters of palettes")
def test_a_failed_event_is_in_the_journal_with_its_way(aws, settings, brand_id, dead_letters):
    """`make trace`: three attempts, two waits, the destination."""
    event_id = put_event(aws, {"brandId": brand_id, "changes": {"colors": {"primary": "#0b5fff"}}})
    record = json.loads(dead_letters("regenerate-palette-dlq", event_id, 40)["Body"])
    request_id = record["requestContext"]["requestId"]

    url = f"{settings.endpoint_url}/_trigger_stack/events/{request_id}"

    def ended() -> tuple[Any, Any]:
        """The journal hears of a letter after its queue has it."""
        found = requests.get(url, timeout=30).json()
        (event,) = [row for row in found["events"] if row["id"] == request_id]
        assert event["state"] == "destination", event
        return found, event

    found, event = eventually(ended)
    assert event["place"].endswith(":regenerate-palette-dlq")
    attempts = [row["outcome"] for row in found["attempts"] if row["event"] == request_id]
    assert attempts == ["function error"] * 3
    assert bootstrap("trace", request_id).stdout.count("attempt ") >= 3

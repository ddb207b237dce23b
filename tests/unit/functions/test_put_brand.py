"""The answer to a writer of a brand, the stored item, and the event on the bus."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from botocore.exceptions import EndpointConnectionError
from function_fakes import FakeBus, FakeScheduler, FakeTable, client_error

from functions.put_brand import handler as put_brand

ACME = {
    "name": "Acme",
    "contactEmail": "brand@acme.example",
    "colors": {"primary": "#0b5fff", "accent": "#ffb000"},
    "website": "https://acme.example",
}


@pytest.fixture
def brands(monkeypatch):
    table = FakeTable("brandId")
    monkeypatch.setattr(put_brand, "brands", table)
    return table


@pytest.fixture
def bus(monkeypatch):
    fake = FakeBus()
    monkeypatch.setattr(put_brand, "events", fake)
    return fake


@pytest.fixture
def put(event, context, brands, bus, scheduler):
    """PUT a body; returns the status and the body of the answer."""

    def send(body, brand_id="acme", **request_fields):
        request = event("http-api-put-brand")
        request["pathParameters"]["brandId"] = brand_id
        request["body"] = body if isinstance(body, str) else json.dumps(body)
        response = put_brand.handler(request | request_fields, context)
        problem = response["statusCode"] >= 400
        media_type = "application/problem+json" if problem else "application/json"
        assert response["headers"]["Content-Type"] == media_type
        assert ("ETag" in response["headers"]) is not problem
        return response["statusCode"], json.loads(response["body"])

    return send


def heard(bus):
    """The details of the events on the bus."""
    return [json.loads(entry["Detail"]) for entry in bus.entries]


def test_a_new_brand_is_201_and_every_field_is_announced(put, brands, bus):
    status, body = put(ACME)

    assert status == 201
    assert body == ACME | {
        "brandId": "acme",
        "version": 1,
        "createdAt": body["createdAt"],
        "updatedAt": body["createdAt"],
    }
    (detail,) = heard(bus)
    assert detail == {
        "brandId": "acme",
        "changes": ACME,
        "updatedAt": body["updatedAt"],
        "notifyEmail": "brand@acme.example",
        "correlationId": "UjX1fhPjIAMEJ8Q=",
    }
    assert {key: bus.entries[0][key] for key in ("Source", "DetailType", "EventBusName")} == {
        "Source": "brand-platform",
        "DetailType": "BrandUpdated",
        "EventBusName": "brand-platform-bus",
    }
    assert "unpublished" not in brands.items["acme",]


def test_a_change_is_200_and_only_what_differs_is_announced(put, bus):
    _, first = put(ACME)
    status, body = put(ACME | {"name": "Acme Corp"})

    assert status == 200
    assert (body["name"], body["version"]) == ("Acme Corp", 2)
    assert body["createdAt"] == first["createdAt"] < body["updatedAt"]
    assert heard(bus)[1]["changes"] == {"name": "Acme Corp"}


def test_a_changed_color_announces_all_colors(put, bus):
    put(ACME)
    put(ACME | {"colors": {"primary": "#0b5fff"}})

    assert heard(bus)[1]["changes"] == {"colors": {"primary": "#0b5fff"}}


def test_a_removed_website_is_announced_as_null_and_gone(put, brands, bus):
    put(ACME)
    status, body = put({key: ACME[key] for key in ("name", "contactEmail", "colors")})

    assert status == 200
    assert "website" not in body
    assert "website" not in brands.items["acme",]
    assert heard(bus)[1]["changes"] == {"website": None}


def test_the_same_again_changes_and_announces_nothing(put, brands, bus):
    put(ACME)
    before = dict(brands.items)
    status, _ = put(ACME | {"colors": {"primary": "#0B5FFF", "accent": "#FFB000"}})

    assert status == 200
    assert brands.items == before
    assert len(bus.entries) == 1


def test_what_other_functions_wrote_stays(put, brands):
    put(ACME)
    brands.items["acme",] |= {"logoUrl": "https://a/l.png", "palette": {"primary": {}}}
    put(ACME | {"name": "Acme Corp"})

    assert brands.items["acme",]["logoUrl"] == "https://a/l.png"
    assert brands.items["acme",]["palette"] == {"primary": {}}


@pytest.mark.parametrize("failure", ["refused entry", "failed call"])
def test_a_publish_that_fails_after_the_write_is_503_and_the_next_put_makes_up_for_it(
    failure, put, brands, bus, logged
):
    put(ACME)
    lines = logged(put_brand)
    if failure == "refused entry":
        bus.refuse = True
    else:
        bus.fail_with = client_error("InternalFailure", "PutEvents")

    status, body = put(ACME | {"name": "Acme Corp"})

    # GIVEN the write happened and the event did not
    assert status == 503
    assert body["type"] == "/docs#problem-not-announced"
    assert set(body) == {"type", "title", "status", "detail"}
    assert "exception" in lines.at("ERROR")[0]
    assert brands.items["acme",]["name"] == "Acme Corp"
    assert brands.items["acme",]["unpublished"] == {"name": "Acme Corp"}
    assert len(bus.entries) == 1

    # WHEN the caller retries the same PUT
    bus.refuse, bus.fail_with = False, None
    status, body = put(ACME | {"name": "Acme Corp"})

    # THEN nothing else changes, and the bus hears of it
    assert status == 200
    assert body["version"] == 2
    assert heard(bus)[1]["changes"] == {"name": "Acme Corp"}
    assert heard(bus)[1]["updatedAt"] == body["updatedAt"]
    assert "unpublished" not in brands.items["acme",]


def test_changes_left_over_are_announced_together_with_new_ones(put, bus):
    put(ACME)
    bus.refuse = True
    put(ACME | {"name": "Acme Corp"})
    bus.refuse = False
    put(ACME | {"name": "Acme Corp", "contactEmail": "new@acme.example"})

    assert heard(bus)[1]["changes"] == {"name": "Acme Corp", "contactEmail": "new@acme.example"}
    assert heard(bus)[1]["notifyEmail"] == "new@acme.example"


def test_a_lost_race_is_tried_again_on_what_the_winner_wrote(put, brands, bus):
    put(ACME)

    def winner():
        brands.items["acme",] |= {"name": "Winner", "version": Decimal(2)}

    brands.before_write.append(winner)
    status, body = put(ACME | {"website": "https://new.example"})

    assert status == 200
    assert body["version"] == 3
    # The draft is the whole brand: the winner's name is overwritten, knowingly, and announced.
    assert heard(bus)[1]["changes"] == {"name": "Acme", "website": "https://new.example"}


def test_the_loser_of_a_race_is_not_dated_before_the_winner(put, brands, bus):
    put(ACME)
    brands.before_write.append(lambda: put(ACME | {"name": "Winner"}))
    put(ACME | {"name": "Loser"})

    dates = [detail["updatedAt"] for detail in heard(bus)]
    assert [detail["changes"].get("name") for detail in heard(bus)] == ["Acme", "Winner", "Loser"]
    assert dates == sorted(dates)


def test_a_brand_created_by_two_at_once_is_created_by_one(put, brands, bus):
    brands.before_write.append(lambda: put(ACME))
    status, body = put(ACME | {"name": "Acme Corp"})

    assert status == 200
    assert body["version"] == 2
    assert [detail["changes"] for detail in heard(bus)] == [ACME, {"name": "Acme Corp"}]


def test_a_race_lost_again_and_again_is_409(put, brands, bus):
    put(ACME)

    def bump():
        brands.items["acme",]["version"] += 1

    brands.before_write += [bump] * 5
    status, body = put(ACME | {"name": "Acme Corp"})

    assert status == 409
    assert body["type"] == "/docs#problem-conflict"
    assert set(body) == {"type", "title", "status", "detail"}
    assert brands.items["acme",]["name"] == "Acme"
    assert len(bus.entries) == 1


def test_changes_that_came_in_while_publishing_stay_for_their_own_writer(put, brands, bus):
    put(ACME)

    def newer():
        brands.items["acme",] |= {"version": Decimal(9), "unpublished": {"name": "Newer"}}

    brands.before_write += [lambda: None, newer]  # The write, then the clearing of the outbox.
    status, _ = put(ACME | {"name": "Acme Corp"})

    assert status == 200
    assert brands.items["acme",]["unpublished"] == {"name": "Newer"}


def test_a_table_that_fails_fails_the_function_and_nothing_is_announced(put, brands, bus):
    brands.fail_with = client_error("InternalServerError", "GetItem")

    with pytest.raises(type(brands.fail_with)):
        put(ACME)
    assert not bus.entries


def test_a_base64_body_is_decoded(put):
    encoded = base64.b64encode(json.dumps(ACME).encode()).decode()

    assert put(encoded, isBase64Encoded=True)[0] == 201


@pytest.mark.parametrize(
    ("body", "is_base64"),
    [
        ("", False),
        ("{", False),
        ("[" * 100_000, False),
        ("not base64!", True),
        ("/w==", True),
        (base64.b64encode(b"{").decode(), True),
    ],
)
def test_what_is_not_json_is_400(body, is_base64, put, brands):
    status, answer = put(body, isBase64Encoded=is_base64)

    assert status == 400
    assert answer["type"] == "about:blank"
    assert set(answer) == {"type", "title", "status", "detail"}
    assert not brands.items


def test_a_request_without_body_is_400(put, event, context):
    request = event("http-api-put-brand")
    del request["body"]

    assert put_brand.handler(request, context)["statusCode"] == 400


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": 7}, "name"),
        ({"contactEmail": "nobody"}, "contactEmail"),
        ({"contactEmail": "a@b.example,c@d.example"}, "contactEmail"),
        ({"contactEmail": "a@b.example\r\nBcc: c@d.example"}, "contactEmail"),
        ({"colors": {}}, "colors"),
        ({"colors": {"accent": "#ffb000"}}, "colors"),
        ({"colors": {"primary": "blue"}}, "colors.primary"),
        ({"colors": {"primary": "#0b5ff"}}, "colors.primary"),
        ({"colors": {"primary": "#0b5fff", "": "#0b5fff"}}, "colors"),
        ({"colors": {"primary": "#0b5fff"} | {f"c{n}": "#000000" for n in range(24)}}, "colors"),
        ({"website": "javascript:alert(1)"}, "website"),
        ({"website": "https://user@evil.example"}, "website"),
        ({"surprise": 1}, "surprise"),
        ({"brandId": "other"}, "brandId"),
    ],
)
def test_an_invalid_brand_is_422_with_the_field(change, field, put, brands, bus):
    status, answer = put(ACME | change)

    assert status == answer["status"] == 422
    assert answer["type"] == "/docs#problem-invalid-brand"
    assert [reason["field"] for reason in answer["errors"]] == [field]
    assert all(reason["message"] for reason in answer["errors"])
    assert not brands.items
    assert not bus.entries


def test_every_wrong_field_is_named_at_once(put):
    _, answer = put({"name": "", "colors": {"primary": "red"}})

    fields = {reason["field"] for reason in answer["errors"]}
    assert fields == {"name", "contactEmail", "colors.primary"}


@pytest.mark.parametrize("body", [[], "text", 7, None])
def test_json_that_is_no_object_is_422(body, put):
    status, answer = put(json.dumps(body))

    assert status == 422
    assert [reason["field"] for reason in answer["errors"]] == ["body"]


@pytest.mark.parametrize("brand_id", ["", "-acme", "ACME", "a b", "a/b", "x" * 64, "acme\n"])
def test_an_invalid_brand_id_is_422(brand_id, put, brands):
    status, answer = put(ACME, brand_id=brand_id)

    assert status == 422
    assert [reason["field"] for reason in answer["errors"]] == ["brandId"]
    assert not brands.items


# --- The reminder to review the brand


def test_each_put_sets_the_one_reminder_anew(put, scheduler, monkeypatch):
    now = datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)
    monkeypatch.setattr(put_brand, "utc_now", lambda: now)
    put(ACME)
    ((key, first),) = scheduler.schedules.items()
    now += timedelta(days=1)
    put(ACME)
    (second,) = scheduler.schedules.values()

    assert key == ("brand-review-reminders", "acme")
    assert first["ScheduleExpression"] == "at(2026-03-02T12:00:01)"
    assert second["ScheduleExpression"] == "at(2026-03-03T12:00:01)"
    assert first["ActionAfterCompletion"] == "DELETE"
    assert json.loads(first["Target"]["Input"]) == {
        "brandId": "acme",
        "scheduledTime": "<aws.scheduler.scheduled-time>",
    }
    assert first["Target"]["DeadLetterConfig"]["Arn"].endswith(":brand-review-reminder-dlq")


def test_a_reminder_that_has_fired_is_made_again(put, scheduler):
    put(ACME)
    scheduler.schedules.clear()
    put(ACME)

    assert len(scheduler.schedules) == 1


def test_a_new_brand_takes_over_the_reminder_of_a_deleted_one(put, brands, scheduler):
    put(ACME)
    brands.items.clear()
    status, _ = put(ACME)

    assert status == 201
    assert len(scheduler.schedules) == 1


@pytest.mark.parametrize(
    "error",
    [
        client_error("ThrottlingException", "CreateSchedule"),
        EndpointConnectionError(endpoint_url="http://scheduler"),
    ],
)
def test_without_a_reminder_the_put_stands(put, brands, bus, scheduler, logged, error):
    lines = logged(put_brand)
    scheduler.fail_with = error

    status, body = put(ACME)

    assert (status, body["name"]) == (201, "Acme")
    assert "unpublished" not in brands.items["acme",]
    assert len(bus.entries) == 1
    (line,) = lines.at("ERROR")
    assert (line["message"], line["brand_id"]) == ("No reminder: the next PUT sets it", "acme")


@pytest.mark.parametrize("body", ["{", json.dumps({"name": ""})], ids=["malformed", "invalid"])
def test_what_is_refused_sets_no_reminder(put, scheduler, body):
    status, _ = put(body)

    assert status in (400, 422)
    assert scheduler.schedules == {}


@pytest.mark.parametrize(("days", "hours"), [(None, 720), ("", 720), ("7", 168), ("0.5", 12)])
def test_how_long_after_the_put(days, hours):
    environment = dict.fromkeys(
        ("REVIEW_GROUP", "REVIEW_FUNCTION_ARN", "REVIEW_ROLE_ARN", "REVIEW_DLQ_ARN"), "x"
    )
    if days is not None:
        environment["REVIEW_AFTER_DAYS"] = days

    made = put_brand.Reminders.from_environment(FakeScheduler(), environment)

    assert made.after == timedelta(hours=hours)

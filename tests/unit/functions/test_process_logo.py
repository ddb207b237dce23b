"""One result for each object version, however often and in whatever order S3 announces it."""

from __future__ import annotations

import copy
import json
from decimal import Decimal

import pytest
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
)
from function_fakes import FakeBus, FakeRekognition, FakeTable, InMemoryStore, client_error

from functions.process_logo import handler as process_logo
from functions.process_logo.upload import UnusableKeyError
from functions.shared.brand_events import PublishError

VERSION = "096fKKXTRTtl3on89fVO.nfljtsv6qko"
URL = "https://assets.example/logos/acme/summer%20sale%C3%A9.png"


class World:
    """Everything the function reaches, and a way to deliver events to it."""

    def __init__(self, monkeypatch, context):
        self.logos = FakeTable("brandId", "objectVersion")
        self.brands = FakeTable("brandId")
        self.rekognition = FakeRekognition()
        self.events = FakeBus()
        for name, fake in vars(self).items():
            monkeypatch.setattr(process_logo, name, fake)
        InMemoryStore().stand_in_for(process_logo.store, monkeypatch)
        self.deliver = lambda event: process_logo.handler(copy.deepcopy(event), context)

    @property
    def rows(self):
        return list(self.logos.items.values())

    @property
    def heard(self):
        return [json.loads(entry["Detail"]) for entry in self.events.entries]

    def add_brand(self, **more):
        self.brands.put_item(Item={"brandId": "acme", "contactEmail": "brand@acme.example"} | more)


@pytest.fixture
def world(monkeypatch, context):
    return World(monkeypatch, context)


@pytest.fixture
def upload(event):
    """An S3 event for `key` (as S3 encodes it), `version` and time."""

    def make(key=None, version=VERSION, time=None):
        made = event("s3-object-created")
        (record,) = made["Records"]
        record["s3"]["object"]["key"] = key or record["s3"]["object"]["key"]
        record["s3"]["object"]["versionId"] = version
        record["eventTime"] = time or record["eventTime"]
        if version is None:
            del record["s3"]["object"]["versionId"]
        return made

    return make


def test_an_upload_becomes_a_row_with_labels(world, upload):
    world.deliver(upload())

    (row,) = world.rows
    assert row.pop("processedAt").endswith("Z")
    assert row == {
        "brandId": "acme",
        "objectVersion": f"logos/acme/summer saleé.png#{VERSION}",
        "labels": [
            {"name": "Cat", "confidence": Decimal("93.125"), "parents": ["Animal"]},
            {"name": "Animal", "confidence": Decimal("95.5"), "parents": []},
        ],
        "labelModelVersion": "3.0",
        "bucket": "brand-assets-bucket",
        "key": "logos/acme/summer saleé.png",
        "versionId": VERSION,
        "size": 20480,
        "eTag": "d41d8cd98f00b204e9800998ecf8427e",
    }


def test_rekognition_is_asked_for_exactly_this_version(world, upload):
    world.deliver(upload())

    (call,) = world.rekognition.calls
    assert call == {
        "Image": {
            "S3Object": {
                "Bucket": "brand-assets-bucket",
                "Name": "logos/acme/summer saleé.png",
                "Version": VERSION,
            }
        },
        "MaxLabels": 10,
        "MinConfidence": 80,
    }


def test_without_versioning_the_etag_tells_contents_apart(world, upload):
    world.deliver(upload(version=None))

    (row,) = world.rows
    assert row["objectVersion"].endswith("#d41d8cd98f00b204e9800998ecf8427e")
    assert row["versionId"] is None
    assert "Version" not in world.rekognition.calls[0]["Image"]["S3Object"]


def test_the_bus_hears_of_the_logo_and_whom_to_notify(world, upload):
    world.add_brand()
    world.deliver(upload())

    (detail,) = world.heard
    assert detail == {
        "brandId": "acme",
        "changes": {"logoUrl": URL},
        "updatedAt": world.rows[0]["processedAt"],
        "correlationId": "C3D13FE58DE4C810",
        "notifyEmail": "brand@acme.example",
    }
    assert world.brands.items["acme",]["logoUrl"] == URL


def test_a_logo_may_come_before_its_brand(world, upload):
    world.deliver(upload())

    (detail,) = world.heard
    assert "notifyEmail" not in detail
    assert not world.brands.items


def test_a_logo_of_a_deleted_brand_is_as_one_without_a_brand(world, upload):
    left = {"brandId": "acme", "version": 2, "deletedAt": "2026-11-23T05:00:00.000000Z"}
    world.brands.put_item(Item=left)

    world.deliver(upload())

    (detail,) = world.heard
    assert "notifyEmail" not in detail
    assert world.brands.items["acme",] == left


def test_a_brand_that_is_deleted_while_its_logo_is_processed_gets_none(world, upload):
    world.add_brand()
    left = {"brandId": "acme", "deletedAt": "2026-11-23T05:00:00.000000Z"}
    world.brands.before_write.append(lambda: world.brands.put_item(Item=left))

    world.deliver(upload())

    assert world.brands.items["acme",] == left
    assert world.heard == []


def test_the_same_event_again_gives_the_same_result_and_runs_nothing(world, upload):
    first = world.deliver(upload())
    second = world.deliver(upload())

    assert first == second
    assert len(world.rekognition.calls) == len(world.rows) == len(world.heard) == 1


def test_two_deliveries_at_once_have_one_result(world, upload):
    losers = []

    def second_delivery():
        with pytest.raises(IdempotencyAlreadyInProgressError) as raised:
            world.deliver(upload())
        losers.append(raised.value)

    world.rekognition.during_call = second_delivery
    first = world.deliver(upload())

    assert len(losers) == 1
    # Lambda retries the one that raised: it gets the stored result.
    assert world.deliver(upload()) == first
    assert len(world.rekognition.calls) == len(world.rows) == len(world.heard) == 1


def test_a_new_version_of_the_same_key_is_a_new_result(world, upload):
    world.deliver(upload())
    world.deliver(upload(version="another-version"))

    assert len(world.rows) == len(world.heard) == 2


def test_a_newer_upload_replaces_the_logo(world, upload):
    world.add_brand()
    world.deliver(upload("logos/acme/old.png", "v1", "2026-11-23T05:40:00.000Z"))
    (result,) = world.deliver(upload("logos/acme/new.png", "v2", "2026-11-23T05:41:00.000Z"))

    assert result["current"] is True
    assert world.brands.items["acme",]["logoUrl"].endswith("/new.png")
    assert len(world.heard) == 2


def test_an_older_upload_that_comes_late_does_not_replace_the_logo(world, upload):
    world.add_brand()
    world.deliver(upload("logos/acme/new.png", "v2", "2026-11-23T05:41:00.000Z"))
    (result,) = world.deliver(upload("logos/acme/old.png", "v1", "2026-11-23T05:40:00.000Z"))

    assert result["current"] is False
    assert len(world.rows) == 2
    assert world.brands.items["acme",]["logoUrl"].endswith("/new.png")
    assert [detail["changes"]["logoUrl"][-8:] for detail in world.heard] == ["/new.png"]


@pytest.mark.parametrize("step", ["rekognition", "logos", "brands", "bus"])
def test_a_step_that_fails_is_raised_and_a_retry_completes(step, world, upload):
    world.add_brand()
    failing = {
        "rekognition": world.rekognition,
        "logos": world.logos,
        "brands": world.brands,
        "bus": world.events,
    }[step]
    failing.fail_with = client_error("ServiceUnavailable")

    with pytest.raises(PublishError if step == "bus" else type(failing.fail_with)):
        world.deliver(upload())
    assert not world.heard

    failing.fail_with = None
    world.deliver(upload())
    assert len(world.rows) == len(world.heard) == 1


def test_an_entry_that_the_bus_refuses_is_a_failure(world, upload):
    world.events.refuse = True

    with pytest.raises(PublishError, match="ThrottlingException"):
        world.deliver(upload())


@pytest.mark.parametrize(
    "key",
    [
        "logos/logo.png",
        "logos//logo.png",
        "logos/acme/.png/more/logo.png",
        "logos/ACME/logo.png",
        "logos/acme/logo.jpg",
        "logos/acme%2Fdeep%2Flogo.png",
        "elsewhere/acme/logo.png",
    ],
)
def test_a_key_that_names_no_brand_is_raised_not_swallowed(key, world, upload):
    with pytest.raises(UnusableKeyError):
        world.deliver(upload(key))
    assert not world.rows
    assert not world.rekognition.calls


def test_one_bad_record_does_not_keep_the_others_waiting(world, upload, logged):
    lines = logged(process_logo)
    batch = {"Records": [*upload("nonsense")["Records"], *upload()["Records"]]}

    with pytest.raises(UnusableKeyError):
        world.deliver(batch)

    assert len(world.rows) == 1
    assert "exception" in lines.at("ERROR")[0]


def test_several_bad_records_are_all_in_the_error(world, upload):
    batch = {"Records": [*upload("nonsense")["Records"], *upload("logos/x.png")["Records"]]}

    with pytest.raises(ExceptionGroup) as raised:
        world.deliver(batch)
    assert len(raised.value.exceptions) == 2


def test_s3s_test_event_is_answered(world, event):
    assert world.deliver(event("s3-test-event")) == []
    assert not world.rekognition.calls

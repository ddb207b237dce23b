"""Each change of a brand is one entry of its history; a bad record is reported alone."""

from __future__ import annotations

import copy

import pytest
from function_fakes import FakeTable, client_error

from functions.audit_brand import handler as audit_brand

EVENT = "dynamodb-brand-changed"


@pytest.fixture
def audit(monkeypatch):
    table = FakeTable("brandId", "changeId")
    monkeypatch.setattr(audit_brand, "audit", table)
    return table


def failed(response):
    return [item["itemIdentifier"] for item in response["batchItemFailures"]]


def entries(audit):
    return sorted(audit.items.values(), key=lambda entry: entry["changeId"])


def test_a_brands_life_is_three_entries(audit, event, context):
    response = audit_brand.handler(event(EVENT), context)

    assert failed(response) == []
    created, changed, removed = entries(audit)
    assert [entry["what"] for entry in entries(audit)] == ["created", "changed", "removed"]
    assert created["who"] == changed["who"] == "brand@acme.example"
    assert removed["who"] == "time to live"
    assert created["before"] == {}
    assert created["after"]["name"] == "Acme"
    assert changed["fields"] == ["name", "version"]
    assert changed["before"]["name"] == "Acme"
    assert changed["after"]["name"] == "Acme Ltd"
    assert removed["after"] == {}
    assert created["changedAt"] == "2026-11-23T05:40:00.000000Z"


def test_a_deletion_a_new_beginning_and_a_removal_are_told_apart(audit, event, context):
    batch = event(EVENT)
    (_, pattern, removal) = batch["Records"]
    brand, anew = pattern["dynamodb"]["OldImage"], pattern["dynamodb"]["NewImage"]
    left = {"brandId": brand["brandId"], "contactEmail": brand["contactEmail"]}
    left["deletedAt"] = {"S": "2026-11-23T05:40:00.000000Z"}
    told = {key: left[key] for key in ("brandId", "deletedAt")} | {"expiresAt": {"N": "1"}}
    steps = [(brand, left), (left, told), (told, anew), (anew, left)]
    batch["Records"] = []
    for number, (before, after) in enumerate(steps):
        record = copy.deepcopy(pattern)
        record["dynamodb"] |= {"OldImage": before, "NewImage": after, "SequenceNumber": f"{number}"}
        batch["Records"].append(record)
    removal["dynamodb"] |= {"OldImage": told, "SequenceNumber": "9"}
    batch["Records"].append(removal)

    assert failed(audit_brand.handler(batch, context)) == []
    whats = [entry["what"] for entry in entries(audit)]
    assert whats == ["deleted", "changed", "created", "deleted", "removed"]
    first, *_, last = entries(audit)
    assert first["who"] == "brand@acme.example"
    assert first["before"]["name"] == "Acme"
    assert "name" not in first["after"]
    assert last["who"] == "time to live"


def test_a_record_that_arrives_twice_is_one_entry(audit, event, context):
    audit_brand.handler(event(EVENT), context)
    before = copy.deepcopy(audit.items)

    audit_brand.handler(event(EVENT), context)

    assert audit.items == before


def test_a_bad_record_fails_alone_with_a_warning(audit, event, context, logged):
    lines = logged(audit_brand)
    batch = event(EVENT)
    batch["Records"][1]["dynamodb"]["Keys"] = {"brandId": {"S": "not a brand!"}}

    response = audit_brand.handler(batch, context)

    assert failed(response) == ["112"]
    assert [entry["what"] for entry in entries(audit)] == ["created", "removed"]
    (line,) = lines.at("WARNING")
    assert "not a brand!" in line["reason"]


def test_a_table_that_refuses_fails_every_record_with_its_stack_trace(
    audit, event, context, logged
):
    lines = logged(audit_brand)
    audit.fail_with = client_error("ProvisionedThroughputExceededException")

    response = audit_brand.handler(event(EVENT), context)

    assert failed(response) == ["111", "112", "113"]
    assert all("exception" in line for line in lines.at("ERROR"))

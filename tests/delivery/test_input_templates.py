"""What targets of a rule get by ``Input``, ``InputPath`` and ``InputTransformer``."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

DETAIL = {
    "text": 'say "hi"\nC:\\new',
    "number": 5,
    "zero": 0,
    "no": False,
    "empty": {},
    "list": [1, "two"],
    "object": {"k": "v"},
}


def template(text: str) -> dict[str, Any]:
    """A target's ``InputTransformer`` with a variable for each field of the detail."""
    paths = {name: f"$.detail.{name}" for name in (*DETAIL, "gone")}
    return {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": text}}


class Bus:
    """A bus with a rule for each target."""

    def __init__(self, stack: Stack) -> None:
        self._client, self.events = stack.client, stack.client("events")
        self.name = f"bus-{secrets.token_hex(6)}"
        self.events.create_event_bus(Name=self.name)

    def rule(self, name: str, arn: str, **target: Any) -> str:
        """Add a rule with this target; return its ARN."""
        on = {"EventBusName": self.name}
        pattern = json.dumps({"source": ["shop"]})
        rule = self.events.put_rule(Name=name, EventPattern=pattern, **on)["RuleArn"]
        if ":sqs:" in arn:
            permit(self._client, arn)
        targets = [{"Id": "1", "Arn": arn, **target}]
        assert self.events.put_targets(Rule=name, Targets=targets, **on)["FailedEntryCount"] == 0
        return str(rule)

    def put(self, detail: dict[str, Any]) -> str:
        entry = {"Source": "shop", "DetailType": "t", "Detail": json.dumps(detail)}
        [answer] = self.events.put_events(Entries=[entry | {"EventBusName": self.name}])["Entries"]
        return str(answer["EventId"])


@pytest.fixture
def bus(stack: Stack) -> Bus:
    return Bus(stack)


QUEUE_CASES = {
    "input": ({"Input": '{"fixed": ""}'}, '{"fixed":""}'),
    "input-false": ({"Input": "[]"}, "[]"),
    "path": ({"InputPath": "$.detail.list"}, '[1,"two"]'),
    "path-text": ({"InputPath": "$.detail.text"}, r'"say \"hi\"\nC:\\new"'),
    "path-zero": ({"InputPath": "$.detail.zero"}, "0"),
    "path-false": ({"InputPath": "$.detail.no"}, "false"),
    "path-empty": ({"InputPath": "$.detail.empty"}, "{}"),
    "json": (
        template('{"a": <text>, "b": "n is <number>, {<text>}", "c": [<zero>, <no>, <gone>]}'),
        r'{"a":"say \"hi\"\nC:\\new","b":"n is 5, {say \"hi\"\nC:\\new}","c":[0,false,""]}',
    ),
    "json-object": (template('{"o": <object>, "l": <list>}'), '{"o":{"k":"v"},"l":[1,"two"]}'),
    "list": (template('[<number>, "y"]'), '[5,"y"]'),
    "object-alone": (template("<object>"), '{"k":"v"}'),
    "text-alone": (template("<text>"), r'"say \"hi\"\nC:\\new"'),
    "text": (template('"n is <number>, <object> <list>\\n!"'), r'"n is 5, {k:v} [1,two]\n!"'),
    "rule": (template('"<aws.events.rule-name>"'), '"rule"'),
    "lines": (template('"n <number>"\n"t <text>"'), '"n 5"\n"t say \\"hi\\"\\nC:\\\\new"'),
}  # fmt: skip


def test_a_queue_gets_exactly_what_is_asked_for(stack: Stack, bus: Bus) -> None:
    sqs = stack.client("sqs")
    urls = {
        name: sqs.create_queue(QueueName=f"{bus.name}-{name}")["QueueUrl"] for name in QUEUE_CASES
    }
    for name, (settings, _) in QUEUE_CASES.items():
        bus.rule(name, arn_of(sqs, urls[name]), **settings)

    bus.put(DETAIL)

    bodies = {}
    for name, url in urls.items():
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)
        bodies[name] = [one["Body"] for one in answer.get("Messages", [])]
    assert bodies == {name: [body] for name, (_, body) in QUEUE_CASES.items()}


def test_a_stream_gets_it_with_a_key_of_the_original_event(stack: Stack, bus: Bus) -> None:
    kinesis = stack.client("kinesis")
    kinesis.create_stream(StreamName=bus.name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=bus.name, WaiterConfig={"Delay": 1})
    description = kinesis.describe_stream(StreamName=bus.name)["StreamDescription"]
    by_number = {"KinesisParameters": {"PartitionKeyPath": "$.detail.number"}}
    cases: dict[str, tuple[dict[str, Any], str, str]] = {
        "input": ({"Input": '{"x": 1}'}, "id", '{"x":1}'),
        "path": ({"InputPath": "$.detail.object"}, "id", '{"k":"v"}'),
        "path-key": ({"InputPath": "$.detail.zero", **by_number}, "5", "0"),
        "template": (template('{"l": <list>}'), "id", '{"l":[1,"two"]}'),
        "template-key": ({**template('"n <number>"'), **by_number}, "5", '"n 5"'),
    }
    arn = description["StreamARN"]
    role = stack.role(
        f"arn:aws:iam::000000000000:role/{bus.name}", "events.amazonaws.com", allowed="kinesis:*"
    )
    try:
        for name, (settings, _, _) in cases.items():
            bus.rule(name, arn, RoleArn=role, **settings)
        event_id = bus.put(DETAIL)
        wanted = sorted((event_id if key == "id" else key, data) for _, key, data in cases.values())

        def records() -> bool:
            iterator = kinesis.get_shard_iterator(
                StreamName=bus.name,
                ShardId=description["Shards"][0]["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
            found = kinesis.get_records(ShardIterator=iterator)["Records"]
            pairs = sorted((one["PartitionKey"], one["Data"].decode()) for one in found)
            assert pairs == wanted
            return True

        eventually(records)
    finally:
        kinesis.delete_stream(StreamName=bus.name)


def test_a_template_that_gives_no_json_says_why_in_the_journal(
    stack: Stack, bus: Bus, journal: Journal
) -> None:
    sqs = stack.client("sqs")
    queue = arn_of(sqs, sqs.create_queue(QueueName=bus.name)["QueueUrl"])
    rule = bus.rule("quoted", queue, **template('{"o": "<object>"}'))

    bus.put(DETAIL)

    def row() -> dict[str, Any]:
        rows = [one for one in journal.find(source=rule) if one["state"] == "lost"]
        assert len(rows) == 1, rows
        return rows[0]

    place = eventually(row)["place"]
    assert place.startswith("INVALID_JSON: <object> is an object or array within the quotes")
    assert "remove the quotes around <object>" in place

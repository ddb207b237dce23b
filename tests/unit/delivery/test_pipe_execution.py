"""A batch of a pipe through enrichment and target."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from trigger_stack.delivery.core.invocation import Reply
from trigger_stack.delivery.core.json_paths import PathError
from trigger_stack.delivery.core.partial_failures import failed_items
from trigger_stack.delivery.pipes.entries import entry
from trigger_stack.delivery.pipes.events import Event
from trigger_stack.delivery.pipes.execution import CustomerError, Ended, Execution, Refused
from trigger_stack.delivery.pipes.settings import PipeSettings

PIPE = "arn:aws:pipes:us-east-1:000000000000:pipe/p"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
ENRICHMENT = "arn:aws:lambda:us-east-1:000000000000:function:e"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/b"


def message(number: int) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "eventSource": "aws:sqs",
        "body": json.dumps({"n": number}),
        "attributes": {},
    }


def record(number: int) -> dict[str, Any]:
    data = base64.b64encode(json.dumps({"n": number}).encode()).decode()
    return {
        "kinesis": {"sequenceNumber": str(number), "partitionKey": "k", "data": data},
        "eventID": f"shardId-0:{number}",
        "eventSource": "aws:kinesis",
    }


@dataclass
class FakeServices:
    """Answers as told, and keeps what it was given."""

    answers: dict[str, Reply | Exception] = field(default_factory=dict)
    refused: Refused | Exception = field(default_factory=lambda: Refused(frozenset(), ""))
    invoked: list[tuple[str, Any]] = field(default_factory=list)
    sent: list[list[dict[str, Any]]] = field(default_factory=list)

    def trace(self, records: list[Event]) -> str:
        return "Root=1-0-0"

    def invoke(self, function_arn: str, payload: bytes) -> Reply:
        self.invoked.append((function_arn, json.loads(payload)))
        answer = self.answers.get(function_arn, Reply(False, b"null", "request"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def accept(self, function_arn: str, payload: bytes, ended: Ended) -> None:
        self.invoked.append((f"{function_arn} later", json.loads(payload)))

    def send(self, entries: list[dict[str, Any]], ended: Ended) -> Refused:
        self.sent.append(entries)
        if isinstance(self.refused, Exception):
            raise self.refused
        return self.refused


def run(
    services: FakeServices, *records: dict[str, Any], **settings: Any
) -> tuple[Reply, list[Ended]]:
    noted: list[Ended] = []
    given: dict[str, Any] = {"source": QUEUE, "target": FUNCTION, **settings}
    execution = Execution(PipeSettings(PIPE, "id", **given), services, noted.append)
    return execution.invoke(json.dumps({"Records": records}).encode()), noted


def test_a_function_gets_an_array_and_its_failures_come_back() -> None:
    answer = b'{"batchItemFailures": [{"itemIdentifier": "m2"}]}'
    services = FakeServices({FUNCTION: Reply(False, answer, "request")})

    reply, noted = run(services, message(1), message(2))

    assert services.invoked == [(FUNCTION, [message(1), message(2)])]
    assert failed_items(reply.payload, ["m1", "m2"]) == {"m2"}
    assert (reply.request_id, noted) == ("request", [])


def test_failures_of_a_stream_are_event_ids_and_become_sequence_numbers() -> None:
    answer = b'{"batchItemFailures": [{"itemIdentifier": "shardId-0:2"}]}'
    services = FakeServices({FUNCTION: Reply(False, answer)})

    reply, _ = run(services, record(1), record(2), source=STREAM)

    assert failed_items(reply.payload, ["1", "2"]) == {"2"}
    ((_, sent),) = services.invoked
    assert sent[0]["sequenceNumber"] == "1"
    assert "kinesis" not in sent[0]


@pytest.mark.parametrize(
    "answer",
    [
        b'{"batchItemFailures": [{"itemIdentifier": "nobody"}]}',
        b'{"batchItemFailures": [{}]}',
        b'{"batchItemFailures": "m1"}',
        b'{"batchItemFailures": ["m1"]}',
    ],
)
def test_failures_that_name_nobody_fail_the_batch(answer: bytes) -> None:
    reply, _ = run(FakeServices({FUNCTION: Reply(False, answer)}), message(1), message(2))

    assert failed_items(reply.payload, ["m1", "m2"]) == {"m1", "m2"}


@pytest.mark.parametrize("answer", [b"", b"null", b"true", b'"text"', b"[1]", b"{}", b"no JSON"])
def test_any_other_answer_of_a_function_is_a_success(answer: bytes) -> None:
    reply, _ = run(FakeServices({FUNCTION: Reply(False, answer)}), message(1))

    assert not reply.is_error
    assert failed_items(reply.payload, ["m1"]) == set()


def test_fire_and_forget_waits_for_nobody() -> None:
    parameters = {"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}}
    services = FakeServices({FUNCTION: CustomerError("not called")})

    reply, _ = run(services, message(1), target_parameters=parameters)

    assert services.invoked == [(f"{FUNCTION} later", [message(1)])]
    assert not reply.is_error


def test_an_enrichment_may_return_more_or_less() -> None:
    services = FakeServices({ENRICHMENT: Reply(False, b'[{"a": 1}, "text", 3]')})

    reply, noted = run(services, message(1), enrichment=ENRICHMENT, target=QUEUE)

    assert services.invoked == [(ENRICHMENT, [message(1)])]
    assert [one["MessageBody"] for one in services.sent[0]] == ['{"a":1}', "text", "3"]
    assert (reply.is_error, noted[0].events) == (False, 3)


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'""', b"null", b""])
def test_nothing_is_delivered_of_an_empty_enrichment(answer: bytes) -> None:
    services = FakeServices({ENRICHMENT: Reply(False, answer, "request")})

    reply, noted = run(services, message(1), enrichment=ENRICHMENT, target=QUEUE)

    assert (services.sent, reply.is_error, reply.request_id) == ([], False, "request")
    assert [(one.events, one.problem) for one in noted] == [(0, "")]


@pytest.mark.parametrize(
    "answer",
    [Reply(True, b"{}", "r"), Reply(False, b"no JSON", "r"), CustomerError("NotFound")],
)
def test_a_failing_enrichment_fails_the_batch(answer: Reply | Exception) -> None:
    services = FakeServices({ENRICHMENT: answer})

    reply, noted = run(services, message(1), enrichment=ENRICHMENT, target=QUEUE)

    assert reply.is_error
    assert services.sent == []
    assert noted[0].problem


def test_templates_are_for_one_event_each() -> None:
    services = FakeServices({ENRICHMENT: Reply(False, b'[{"n": 5}, {"n": 6}]')})

    run(
        services,
        *(message(1), message(2)),
        enrichment=ENRICHMENT,
        enrichment_template='{"id": <$.messageId>, "n": <$.body.n>}',
        target_parameters={"InputTemplate": '{"twice": "<$.n><$.n>"}'},
    )

    assert services.invoked == [
        (ENRICHMENT, [{"id": "m1", "n": 1}, {"id": "m2", "n": 2}]),
        (FUNCTION, [{"twice": "55"}, {"twice": "66"}]),
    ]


def test_entries_that_the_target_refuses_stay() -> None:
    services = FakeServices(refused=Refused(frozenset({1}), "InternalFailure: later"))

    reply, noted = run(services, message(1), message(2), message(3), target=QUEUE)

    assert failed_items(reply.payload, ["m1", "m2", "m3"]) == {"m2"}
    assert noted[0].problem == "1 of 3: InternalFailure: later"


def test_an_event_without_what_a_parameter_leads_to_stays_and_hurts_no_other() -> None:
    parameters = {"SqsQueueParameters": {"MessageGroupId": "$.body.group"}}
    good = {**message(2), "body": '{"group": "g"}'}
    services = FakeServices()

    reply, _ = run(services, message(1), good, target=f"{QUEUE}.fifo", target_parameters=parameters)

    assert [(one["Id"], one["MessageGroupId"]) for one in services.sent[0]] == [("0", "g")]
    assert failed_items(reply.payload, ["m1", "m2"]) == {"m1"}


@pytest.mark.parametrize(
    ("source", "sent"), [(QUEUE, ["0", "1"]), (f"{QUEUE}.fifo", ["0"])], ids=["standard", "fifo"]
)
def test_in_a_source_with_an_order_nothing_overtakes_what_fails(
    source: str, sent: list[str]
) -> None:
    parameters = {"SqsQueueParameters": {"MessageGroupId": "$.body.group"}}
    first, third = ({**message(n), "body": '{"group": "g"}'} for n in (1, 3))
    services = FakeServices()

    reply, _ = run(
        services,
        *(first, message(2), third),
        source=source,
        target=f"{QUEUE}-target.fifo",
        target_parameters=parameters,
    )

    assert [one["Id"] for one in services.sent[0]] == sent
    failed = failed_items(reply.payload, ["m1", "m2", "m3"])
    assert failed == ({"m2"} if len(sent) == 2 else {"m2", "m3"})


def test_a_refusal_of_all_is_an_error() -> None:
    services = FakeServices(refused=CustomerError("QueueDoesNotExist"))

    reply, noted = run(services, message(1), target=QUEUE)

    assert reply.is_error
    assert (noted[0].problem, noted[0].events) == ("QueueDoesNotExist", 0)


def test_what_an_enrichment_made_without_an_id_fails_with_the_whole_batch() -> None:
    services = FakeServices(
        {ENRICHMENT: Reply(False, b'[{"a": 1}, {"messageId": "m2"}]')},
        Refused(frozenset({0}), "no"),
    )

    reply, _ = run(services, message(1), message(2), enrichment=ENRICHMENT, target=QUEUE)

    assert failed_items(reply.payload, ["m1", "m2"]) == {"m1", "m2"}


def test_more_events_than_the_target_takes_are_not_sent() -> None:
    services = FakeServices({ENRICHMENT: Reply(False, json.dumps([1] * 11).encode())})

    reply, noted = run(services, message(1), enrichment=ENRICHMENT, target=QUEUE)

    assert (reply.is_error, services.sent) == (True, [])
    assert "11 events: sqs takes 10" in noted[0].problem


def test_an_event_of_a_bus_has_the_names_of_the_pipe_by_default() -> None:
    settings = PipeSettings(PIPE, "id", STREAM, BUS)

    made = entry(settings, 0, {}, "{}")

    assert made == {
        "EventBusName": BUS,
        "Source": "Pipe p",
        "DetailType": "Event from aws:kinesis",
        "Detail": "{}",
        "Resources": [],
    }


def test_an_event_of_a_bus_may_have_what_the_event_says() -> None:
    own = {
        "Source": "own",
        "DetailType": "$.data.type",
        "Resources": ["$.data.brand", "arn:fixed"],
        "Time": "$.data.at",
    }
    parameters = {"EventBridgeEventBusParameters": own}
    settings = PipeSettings(PIPE, "id", STREAM, BUS, target_parameters=parameters)
    event = {"data": {"type": "Used", "brand": "arn:b", "at": "2026-01-02T03:04:05Z"}}

    made = entry(settings, 0, event, "{}")

    assert (made["Source"], made["DetailType"]) == ("own", "Used")
    assert made["Resources"] == ["arn:b", "arn:fixed"]
    assert made["Time"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with pytest.raises(PathError, match="is no time"):
        entry(settings, 0, {"data": {**event["data"], "at": "soon"}}, "{}")


def test_the_settings_of_a_stream_are_those_of_its_poller() -> None:
    own = {
        "StartingPosition": "LATEST",
        "BatchSize": 7,
        "MaximumRetryAttempts": 0,
        "MaximumRecordAgeInSeconds": -1,
        "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
        "DeadLetterConfig": {"Arn": QUEUE},
        "ParallelizationFactor": 2,
    }
    filters = {"Filters": [{"Pattern": '{"data":{"a":[1]}}'}]}
    parameters = {"KinesisStreamParameters": own, "FilterCriteria": filters}
    settings = PipeSettings(PIPE, "id", STREAM, FUNCTION, source_parameters=parameters).of_stream()

    assert (settings.batch_size, settings.max_retries, settings.max_age_s) == (7, 0, None)
    assert (settings.bisect, settings.lanes, settings.on_failure) == (True, 2, QUEUE)
    assert settings.patterns == ('{"data":{"a":[1]}}',)

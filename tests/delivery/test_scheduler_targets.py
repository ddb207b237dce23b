"""EventBridge Scheduler through a real emulator: targets, failures, completion, the clock."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import ROLE, Stack
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("clock")


PREFIX = "arn:aws:scheduler:us-east-1:000000000000:schedule/"
#: Logs its event; fails when the event says so.
FUNCTION = """
import json
def handler(event, context):
    print(json.dumps({"seen": event}))
"""


class Scheduler:
    """EventBridge Scheduler of a stack, its clock, and queues to look into."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.api, self.sqs = stack.client("scheduler"), stack.client("sqs")
        self.url = f"http://127.0.0.1:{stack.port}/_trigger_stack"
        self.journal = Journal(f"http://127.0.0.1:{stack.port}")
        self.expression = ""
        self.group = f"g-{secrets.token_hex(4)}"
        self.api.create_schedule_group(Name=self.group)
        self.role = stack.role(f"{ROLE}-scheduler", "scheduler.amazonaws.com")

    def queue(self, ending: str = "", **attributes: str) -> tuple[str, str]:
        """URL and ARN of a new queue."""
        name = f"q-{secrets.token_hex(6)}{ending}"
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:000000000000:{name}"

    def now(self) -> datetime:
        return datetime.fromisoformat(requests.get(f"{self.url}/clock", timeout=60).json()["now"])

    def due(self) -> dict[str, str]:
        found: dict[str, str] = requests.get(f"{self.url}/clock", timeout=60).json()["schedules"]
        return found

    def forward(self, **delta: float) -> None:
        at = (self.now() + timedelta(**delta)).isoformat()
        answer = requests.post(f"{self.url}/clock", json={"at": at}, timeout=60)
        assert answer.status_code == 200, answer.text

    def at(self, **delta: float) -> str:
        """An expression for a time from now."""
        return f"at({self.now() + timedelta(**delta):%Y-%m-%dT%H:%M:%S})"

    def request(self, expression: str, target: str, **more: Any) -> dict[str, Any]:
        target_keys = {"Input", "RetryPolicy", "DeadLetterConfig"}
        target_keys |= {key for key in more if key.endswith("Parameters")}
        own = {key: more.pop(key) for key in target_keys & more.keys()}
        return {
            "Name": f"s-{secrets.token_hex(6)}",
            "GroupName": self.group,
            "ScheduleExpression": expression,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": target, "RoleArn": self.role, **own},
            **more,
        }

    def create(self, expression: str, target: str, **more: Any) -> str:
        """Create a schedule; returns its name."""
        request = self.request(expression, target, **more)
        self.api.create_schedule(**request)
        return str(request["Name"])

    def fire(self, target: str, **more: Any) -> str:
        """Create a one-time schedule, and move the clock until it has fired; returns its name."""
        self.expression = self.at(minutes=1)
        name = self.create(self.expression, target, **more)
        self.forward(minutes=1, seconds=1)
        return name

    def arn(self, name: str) -> str:
        return f"{PREFIX}{self.group}/{name}"

    def names(self) -> list[str]:
        found = self.api.list_schedules(GroupName=self.group)["Schedules"]
        return sorted(one["Name"] for one in found)

    def received(self, url: str, count: int = 1) -> list[dict[str, Any]]:
        """The messages of a queue once there are so many; a second look finds no further one."""
        found: list[dict[str, Any]] = []

        def take() -> bool:
            answer = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            )
            for message in answer.get("Messages", []):
                found.append(message)
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            assert len(found) >= count, found
            return True

        eventually(take)
        more = self.sqs.receive_message(QueueUrl=url).get("Messages", [])
        assert len(found) == count and not more, [*found, *more]
        return found

    def ticks(self, name: str, count: int = 1, state: str = "done") -> list[dict[str, Any]]:
        """The journal's events of a schedule once all of them have an end."""

        def ended() -> list[dict[str, Any]]:
            rows = self.journal.find(source=self.arn(name), kind="schedule tick")
            assert [row["state"] for row in rows] == [state] * count, rows
            return rows

        return eventually(ended)


@pytest.fixture
def scheduler(clock_stack: Stack) -> Iterator[Scheduler]:
    made = Scheduler(clock_stack)
    yield made
    with contextlib.suppress(ClientError):
        made.api.delete_schedule_group(Name=made.group)


# --- When


def test_a_one_time_schedule_fires_once_by_the_real_clock(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    name = scheduler.create(scheduler.at(seconds=3), arn, Input="now")

    assert [message["Body"] for message in scheduler.received(url)] == ["now"]
    assert name in scheduler.names(), "only ActionAfterCompletion deletes it"
    assert scheduler.arn(name) not in scheduler.due()
    (tick,) = scheduler.ticks(name)
    assert (tick["function"], tick["attempts"]) == (arn, 1)


def test_a_rate_fires_at_once_and_after_each_period(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    name = scheduler.create("rate(1 hour)", arn, Input="<aws.scheduler.scheduled-time>")

    scheduler.forward(hours=2, minutes=1)

    times = sorted(message["Body"] for message in scheduler.received(url, 3))
    moments = [datetime.fromisoformat(time) for time in times]
    assert moments[2] - moments[0] == timedelta(hours=2)
    scheduler.ticks(name, 3)


def test_start_and_end_date(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    start = (scheduler.now() + timedelta(days=1)).replace(microsecond=0)
    name = scheduler.create(
        "rate(1 day)",
        arn,
        Input="<aws.scheduler.scheduled-time>",
        StartDate=start,
        EndDate=start + timedelta(days=2),
        ActionAfterCompletion="DELETE",
    )

    scheduler.forward(days=5)

    times = sorted(message["Body"] for message in scheduler.received(url, 2))
    assert times == [f"{start + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}" for day in (0, 1)]
    assert name not in scheduler.names()


def test_a_cron_in_a_time_zone(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    scheduler.create(
        "cron(30 9 * * ? *)",
        arn,
        Input="<aws.scheduler.scheduled-time>",
        ScheduleExpressionTimezone="Asia/Kolkata",
    )

    scheduler.forward(days=1)

    (message,) = scheduler.received(url)
    assert message["Body"].endswith("T04:00:00Z")


def test_everything_due_while_the_clock_moves_fires_in_order_once(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue(".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    parameters = {"SqsParameters": {"MessageGroupId": "all"}}
    stamp = "<aws.scheduler.scheduled-time> <aws.scheduler.schedule-arn>"
    later = scheduler.create(scheduler.at(minutes=10), arn, Input=stamp, **parameters)
    start = (scheduler.now() + timedelta(minutes=1)).replace(microsecond=0)
    often = scheduler.create("rate(4 minutes)", arn, Input=stamp, StartDate=start, **parameters)

    scheduler.forward(minutes=12)
    scheduler.forward(seconds=1)

    bodies = [message["Body"] for message in scheduler.received(url, 4)]
    assert bodies == sorted(bodies)
    assert [body.endswith(often) for body in bodies] == [True, True, True, False]
    assert bodies[3].endswith(later)
    scheduler.ticks(often, 3)
    scheduler.ticks(later)


def test_a_schedule_in_the_past_never_fires(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    name = scheduler.create("at(2020-01-01T00:00:00)", arn)

    scheduler.forward(minutes=1)

    assert scheduler.arn(name) not in scheduler.due()
    assert scheduler.journal.find(source=scheduler.arn(name)) == []
    assert not scheduler.sqs.receive_message(QueueUrl=url).get("Messages")


def test_a_flexible_window_fires_within_it(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    scheduler.create(
        scheduler.at(minutes=5),
        arn,
        Input="flexible",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10},
    )

    scheduler.forward(minutes=15, seconds=1)

    scheduler.received(url)


# --- Changes


def test_a_paused_schedule_does_not_fire_until_it_is_enabled(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    request = scheduler.request(scheduler.at(minutes=2), arn, Input="x", State="DISABLED")
    scheduler.api.create_schedule(**request)
    scheduler.forward(minutes=3)
    assert scheduler.journal.find(source=scheduler.arn(request["Name"])) == []

    request |= {"State": "ENABLED", "ScheduleExpression": scheduler.at(minutes=2)}
    scheduler.api.update_schedule(**request)
    scheduler.forward(minutes=3)

    scheduler.received(url)
    request |= {"State": "DISABLED", "ScheduleExpression": scheduler.at(minutes=2)}
    scheduler.api.update_schedule(**request)
    assert scheduler.arn(request["Name"]) not in scheduler.due()


def test_an_update_counts_at_once_and_replaces_everything(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    request = scheduler.request(
        scheduler.at(minutes=1), arn, Input="old", ActionAfterCompletion="DELETE"
    )
    scheduler.api.create_schedule(**request)
    request["Target"]["Input"] = "new"
    request["ScheduleExpression"] = scheduler.at(minutes=5)
    del request["ActionAfterCompletion"]
    scheduler.api.update_schedule(**request)

    scheduler.forward(minutes=6)

    assert [message["Body"] for message in scheduler.received(url)] == ["new"]
    assert scheduler.names() == [request["Name"]], "it is no longer deleted"


def test_a_deleted_schedule_and_a_deleted_group_do_not_fire(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    one = scheduler.create(scheduler.at(minutes=1), arn)
    scheduler.api.delete_schedule(Name=one, GroupName=scheduler.group)
    two = scheduler.create(scheduler.at(minutes=1), arn)
    scheduler.api.delete_schedule_group(Name=scheduler.group)

    scheduler.forward(minutes=2)

    assert not {scheduler.arn(one), scheduler.arn(two)} & scheduler.due().keys()
    assert not scheduler.sqs.receive_message(QueueUrl=url).get("Messages")


def test_it_is_deleted_after_its_last_invocation(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    name = scheduler.fire(arn, ActionAfterCompletion="DELETE")

    scheduler.received(url)
    eventually(lambda: name not in scheduler.names())
    with pytest.raises(ClientError, match="does not exist") as caught:
        scheduler.api.get_schedule(Name=name, GroupName=scheduler.group)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


# --- Targets


def test_a_function_gets_the_input_and_the_journal_has_both(scheduler: Scheduler) -> None:
    stack = scheduler.stack
    function = stack.create(FUNCTION)
    arn = stack.client("lambda").get_function(FunctionName=function)["Configuration"]
    given = {
        name: f"<aws.scheduler.{name}>"
        for name in ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    }
    name = scheduler.fire(arn["FunctionArn"], Input=json.dumps(given))

    def seen() -> dict[str, str]:
        lines = [one["message"] for one in stack.log_events(function) if "seen" in one["message"]]
        assert len(lines) == 1, lines
        event: dict[str, str] = json.loads(lines[0])["seen"]
        return event

    event = eventually(seen)
    assert event["schedule-arn"] == scheduler.arn(name)
    assert event["scheduled-time"] == f"{scheduler.expression[3:-1]}Z"
    assert event["attempt-number"] == "1"
    assert len(event["execution-id"]) == 16
    (tick,) = scheduler.ticks(name)
    events = scheduler.journal.trace(tick["id"])["events"]
    (invocation,) = [one for one in events if one["id"] != tick["id"]]
    assert invocation["source"] == scheduler.arn(name)
    scheduler.journal.ends(invocation["id"])


def test_a_target_without_input_gets_a_scheduled_event(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    name = scheduler.fire(arn)

    (message,) = scheduler.received(url)
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"]) == ("aws.scheduler", "Scheduled Event")
    assert event["resources"] == [scheduler.arn(name)]
    assert event["detail"] == "{}"


def test_a_fifo_queue_gets_its_message_group(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue(".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    scheduler.fire(arn, Input="in order", SqsParameters={"MessageGroupId": "g"})

    (message,) = scheduler.received(url)
    assert message["Attributes"]["MessageGroupId"] == "g"


def test_a_topic_gets_a_message(scheduler: Scheduler) -> None:
    sns = scheduler.stack.client("sns")
    topic = sns.create_topic(Name=f"t-{secrets.token_hex(6)}")["TopicArn"]
    url, arn = scheduler.queue()
    raw = {"RawMessageDelivery": "true"}
    permit(scheduler.stack.client, arn)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
    scheduler.fire(topic, Input="published")

    (message,) = scheduler.received(url)
    assert message["Body"] == "published"


def test_a_bus_gets_an_event(scheduler: Scheduler) -> None:
    events = scheduler.stack.client("events")
    url, arn = scheduler.queue()
    rule, kind = f"r-{secrets.token_hex(6)}", f"Kind {secrets.token_hex(6)}"
    events.put_rule(Name=rule, EventPattern=json.dumps({"detail-type": [kind]}))
    permit(scheduler.stack.client, arn)
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    scheduler.fire(
        "arn:aws:events:us-east-1:000000000000:event-bus/default",
        Input='{"a": 1}',
        EventBridgeParameters={"DetailType": kind, "Source": "shop"},
    )

    (message,) = scheduler.received(url)
    event = json.loads(message["Body"])
    assert (event["source"], event["detail"]) == ("shop", {"a": 1})


def test_a_stream_gets_a_record(scheduler: Scheduler) -> None:
    kinesis = scheduler.stack.client("kinesis")
    stream = f"k-{secrets.token_hex(6)}"
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    summary = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    scheduler.fire(
        summary["StreamARN"],
        Input="recorded",
        KinesisParameters={"PartitionKey": "p"},
    )

    (record,) = eventually(lambda: kinesis.get_records(ShardIterator=iterator)["Records"])
    assert (record["Data"], record["PartitionKey"]) == (b"recorded", "p")


def test_a_universal_target_calls_any_api_action(scheduler: Scheduler) -> None:
    name = f"made-{secrets.token_hex(6)}"
    schedule = scheduler.fire(
        "arn:aws:scheduler:::aws-sdk:sqs:createQueue",
        Input=json.dumps({"QueueName": name, "Attributes": {"VisibilityTimeout": "7"}}),
    )

    def made() -> bool:
        with contextlib.suppress(ClientError):
            return bool(scheduler.sqs.get_queue_url(QueueName=name))
        return False

    eventually(made)
    scheduler.ticks(schedule)


# --- Failures


def test_a_target_that_is_gone_ends_in_the_dead_letter_queue(scheduler: Scheduler) -> None:
    url, dead = scheduler.queue()
    missing = "arn:aws:lambda:us-east-1:000000000000:function:missing"
    name = scheduler.fire(missing, Input='{"brand": "acme"}', DeadLetterConfig={"Arn": dead})

    (message,) = scheduler.received(url)
    attributes = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
    assert message["Body"] == '{"brand": "acme"}'
    assert len(attributes.pop("EXECUTION_ID")) == 16
    assert attributes == {
        "SCHEDULE_ARN": scheduler.arn(name),
        "TARGET_ARN": missing,
        "SCHEDULED_TIME": f"{scheduler.expression[3:-1]}Z",
        "ERROR_CODE": "ResourceNotFoundException",
        "ERROR_MESSAGE": attributes["ERROR_MESSAGE"],
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
    }
    assert "missing" in attributes["ERROR_MESSAGE"]
    (tick,) = scheduler.ticks(name, state="dead-letter")
    assert tick["place"] == dead


def throttled(stack: Stack) -> str:
    """A function without concurrency: a synchronous invocation is answered with 429."""
    function = stack.create(FUNCTION)
    stack.client("lambda").put_function_concurrency(
        FunctionName=function, ReservedConcurrentExecutions=0
    )
    return function


INVOKE = "arn:aws:scheduler:::aws-sdk:lambda:invoke"


def waiting(scheduler: Scheduler, name: str) -> dict[str, Any]:
    """The journal's event of a schedule that waits for its second try."""

    def waits() -> dict[str, Any]:
        rows = scheduler.journal.find(source=scheduler.arn(name), kind="schedule tick")
        assert [(row["state"], row["attempts"]) for row in rows] == [("pending", 1)], rows
        return rows[0]

    return eventually(waits, every=0.02)


def test_a_target_that_fails_is_tried_again_and_then_a_dead_letter(scheduler: Scheduler) -> None:
    url, dead = scheduler.queue()
    payload = '{"attempt": <aws.scheduler.attempt-number>}'
    name = scheduler.fire(
        INVOKE,
        Input=json.dumps({"FunctionName": throttled(scheduler.stack), "Payload": payload}),
        DeadLetterConfig={"Arn": dead},
        RetryPolicy={"MaximumRetryAttempts": 1},
    )

    row = waiting(scheduler, name)
    assert row["due_at"]
    assert "TooManyRequestsException" in row["place"]
    (message,) = scheduler.received(url)
    attributes = {k: v["StringValue"] for k, v in message["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "TooManyRequestsException"
    assert attributes["RETRY_ATTEMPTS"] == "1"
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"
    assert json.loads(message["Body"])["Payload"] == '{"attempt": 2}'
    (tick,) = scheduler.ticks(name, state="dead-letter")
    assert tick["attempts"] == 2


def test_a_retry_mends_it_although_the_schedule_is_deleted(scheduler: Scheduler) -> None:
    function = throttled(scheduler.stack)
    given = {"FunctionName": function, "Payload": '{"n": <aws.scheduler.attempt-number>}'}
    name = scheduler.fire(INVOKE, Input=json.dumps(given), ActionAfterCompletion="DELETE")
    waiting(scheduler, name)
    assert name not in scheduler.names()

    scheduler.stack.client("lambda").delete_function_concurrency(FunctionName=function)

    (tick,) = scheduler.ticks(name)
    assert tick["attempts"] > 1
    lines = eventually(
        lambda: [
            event["message"]
            for event in scheduler.stack.log_events(function)
            if "seen" in event["message"]
        ]
    )
    assert [json.loads(line)["seen"]["n"] for line in lines] == [tick["attempts"]]


def test_without_a_dead_letter_queue_it_is_lost(scheduler: Scheduler) -> None:
    missing = "arn:aws:sqs:us-east-1:000000000000:missing"
    name = scheduler.fire(missing, Input="gone")

    (tick,) = scheduler.ticks(name, state="lost")
    assert "NonExistentQueue" in tick["place"]
    assert "DeadLetterConfig" in tick["place"]
    assert "EVENT LOST, schedule tick" in scheduler.stack.log


def test_the_journal_accounts_for_every_invocation(scheduler: Scheduler) -> None:
    """Two schedules over a day, one of whose targets is gone: each invocation has its end."""
    url, arn = scheduler.queue()
    start = (scheduler.now() + timedelta(minutes=1)).replace(microsecond=0)
    good = scheduler.create("rate(2 hours)", arn, Input="x", StartDate=start)
    bad = scheduler.create("rate(6 hours)", f"{arn}-gone", Input="x", StartDate=start)

    scheduler.forward(days=1)

    scheduler.received(url, 12)
    scheduler.ticks(good, 12)
    scheduler.ticks(bad, 4, state="lost")


# --- By hand


def test_a_schedule_can_be_fired_now_and_stays_as_it_is(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    name = scheduler.create(
        scheduler.at(days=30), arn, Input="by hand", ActionAfterCompletion="DELETE"
    )

    fired = requests.post(
        f"{scheduler.url}/scheduler/schedules/{scheduler.group}/{name}/fire", timeout=20
    )

    assert fired.json()["targets"] == [arn]
    assert scheduler.received(url)[0]["Body"] == "by hand"
    assert scheduler.arn(name) in scheduler.due()


def test_a_dead_letter_can_be_delivered_again(scheduler: Scheduler) -> None:
    url, arn = scheduler.queue()
    body = {"scheduleArn": scheduler.arn("deleted"), "targetArn": arn, "input": "again"}

    answer = requests.post(f"{scheduler.url}/scheduler/deliver", json=body, timeout=60)

    assert answer.status_code == 200, answer.text
    assert scheduler.received(url)[0]["Body"] == "again"
    body["targetArn"] = f"{arn}-missing"
    again = requests.post(f"{scheduler.url}/scheduler/deliver", json=body, timeout=60)
    assert again.status_code == 502


# --- What is refused


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ScheduleExpression": "rate(0 minutes)"}, r"Invalid Schedule Expression rate\(0"),
        ({"ScheduleExpression": "at(2026-02-30T00:00:00)"}, "Invalid Schedule Expression at"),
        ({"ScheduleExpressionTimezone": "Mars/Base"}, "Timezone Mars/Base"),
        ({"FlexibleTimeWindow": None}, "null at 'flexibleTimeWindow' failed"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes must be set"),
        ({"GroupName": "no-such-group"}, "Schedule group no-such-group does not exist"),
    ],
)
def test_what_is_refused(scheduler: Scheduler, changes: dict[str, Any], said: str) -> None:
    _, arn = scheduler.queue()
    request = scheduler.request("rate(1 day)", arn, **changes)

    with pytest.raises(ClientError, match=said):
        scheduler.api.create_schedule(**{k: v for k, v in request.items() if v is not None})
    assert scheduler.names() == []


def test_a_group_that_is_there_is_not_made_again(scheduler: Scheduler) -> None:
    _, arn = scheduler.queue()
    name = scheduler.create("rate(1 day)", arn, State="DISABLED")

    with pytest.raises(ClientError, match="already exists"):
        scheduler.api.create_schedule_group(Name=scheduler.group)
    assert scheduler.names() == [name]


def test_a_request_with_the_same_token_is_done_once(scheduler: Scheduler) -> None:
    _, target = scheduler.queue()
    token = secrets.token_hex(8)
    request = {**scheduler.request("rate(1 day)", target), "ClientToken": token}

    first = scheduler.api.create_schedule(**request)["ScheduleArn"]
    assert scheduler.api.create_schedule(**request)["ScheduleArn"] == first
    with pytest.raises(ClientError, match="with other parameters"):
        scheduler.api.create_schedule(**{**request, "ScheduleExpression": "rate(2 days)"})
    with pytest.raises(ClientError, match="ConflictException"):
        scheduler.api.create_schedule(**{**request, "ClientToken": secrets.token_hex(8)})
    assert first in scheduler.due()

    names = {"Name": request["Name"], "GroupName": scheduler.group}
    scheduler.api.delete_schedule(**names, ClientToken=token)
    scheduler.api.delete_schedule(**names, ClientToken=token)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        scheduler.api.delete_schedule(**names)
    group = f"{scheduler.group}-2"
    for _ in range(2):
        made = scheduler.api.create_schedule_group(Name=group, ClientToken=token)
        assert made["ScheduleGroupArn"].endswith(f"schedule-group/{group}")
    scheduler.api.delete_schedule_group(Name=group, ClientToken=token)
    scheduler.api.delete_schedule_group(Name=group, ClientToken=token)
    with pytest.raises(ClientError, match="ValidationException"):
        scheduler.api.create_schedule(**{**request, "ClientToken": "no token"})

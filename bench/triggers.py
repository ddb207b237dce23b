"""From a trigger to its effect, with MiniStack beside it: ``python -m bench.triggers``.

Each function sends a datagram when it is called; latency is counted from before the request that
fires the trigger. Between two of them the stack is idle for 0.3 s. Then a queue with 10 000
messages is drained in batches of 10, and 1000 objects are uploaded at once, by ``wrk``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from bench.servers import Server, client, create_function, ministack, trigger_stack

#: Uploads so many objects, each of its own key; a thread that has ended sends no further request.
_UPLOADS = """
local sent, answered = 0, 0
wrk.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"
  .. ", SignedHeaders=host, Signature=0"
wrk.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
request = function()
  sent = sent + 1
  return wrk.format("PUT", "/%s/burst/" .. sent, nil, "x")
end
response = function()
  answered = answered + 1
  if answered == %d then wrk.thread:stop() end
end
"""
_PAUSE_S = 0.3
_LONGEST_S = 30.0


class NoEffectError(Exception):
    """The function was not called in time."""


@dataclass
class Effects:
    """The functions' reports: one datagram for each event, with the ids in it."""

    socket: socket.socket = field(
        default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    )

    def __post_init__(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(_LONGEST_S)

    def code(self, ids: str, printing: bool) -> str:
        """A handler that sends the value of the expression ``ids`` (a list) of its event."""
        port = self.socket.getsockname()[1]
        return (
            "import json, socket\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "def handler(event, context):\n"
            f"    {'print(json.dumps(event))' if printing else 'pass'}\n"
            f"    s.sendto(json.dumps({ids}).encode(), ('127.0.0.1', {port}))\n"
        )

    def next(self) -> list[str]:
        """The ids of the next event.

        Raises:
            NoEffectError: There was none in 30 seconds.
        """
        try:
            ids: list[str] = json.loads(self.socket.recv(1 << 16))
        except TimeoutError:
            raise NoEffectError from None
        return ids

    def drop(self) -> None:
        """Forget what has come."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recv(1 << 16)
        self.socket.settimeout(_LONGEST_S)


@dataclass
class Bench:
    """One server, and what it is made to do."""

    server: Server
    effects: Effects
    printing: bool
    runs: int

    def client(self, service: str) -> Any:
        """A boto3 client of the server."""
        return client(self.server.edge, service)

    def function(self, ids: str = "[1]") -> str:
        """The ARN of a new function."""
        name = f"f-{secrets.token_hex(4)}"
        arn = create_function(self.server.edge, name, self.effects.code(ids, self.printing))
        for service in ("events", "s3", "sns"):
            self.client("lambda").add_permission(
                FunctionName=arn,
                StatementId=service,
                Action="lambda:InvokeFunction",
                Principal=f"{service}.amazonaws.com",
            )
        return arn

    def row(self, what: str, fire: Callable[[int], object]) -> None:
        """Measure and print one trigger."""
        kind = "printing" if self.printing else "silent"
        head = f"{self.server.name:14} {kind:9} {what:18}"
        taken = []
        try:
            for number in range(self.runs + 5):
                time.sleep(_PAUSE_S)
                before = time.perf_counter()
                fire(number)
                self.effects.next()
                taken.append((time.perf_counter() - before) * 1000)
        except NoEffectError:
            print(f"{head} no effect within {_LONGEST_S:.0f} s", flush=True)
            return
        taken = sorted(taken[5:])
        p50, p95 = taken[len(taken) // 2], taken[int(len(taken) * 0.95)]
        print(f"{head} p50 {p50:8.1f} ms  p95 {p95:8.1f} ms", flush=True)

    # -- triggers -----------------------------------------------------------------------------

    def invoke(self) -> None:
        """Measure an asynchronous invocation."""
        functions, arn = self.client("lambda"), self.function()
        self.row(
            "Invoke (Event)",
            lambda n: functions.invoke(FunctionName=arn, InvocationType="Event", Payload=b"{}"),
        )

    def s3(self) -> str:
        """Measure; the bucket."""
        s3, arn, bucket = self.client("s3"), self.function(), f"b-{secrets.token_hex(6)}"
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={
                "LambdaFunctionConfigurations": [
                    {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
                ]
            },
        )
        self.effects.drop()
        self.row("S3", lambda n: s3.put_object(Bucket=bucket, Key=str(n), Body=b"x"))
        return bucket

    def sqs(self) -> tuple[Any, str, str]:
        """Measure; the client, the queue's URL and the mapping."""
        sqs = self.client("sqs")
        url = sqs.create_queue(
            QueueName=f"q-{secrets.token_hex(6)}", Attributes={"VisibilityTimeout": "60"}
        )["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        mapping = self.client("lambda").create_event_source_mapping(
            EventSourceArn=attributes["Attributes"]["QueueArn"],
            FunctionName=self.function("[r['body'] for r in event['Records']]"),
            BatchSize=10,
        )["UUID"]
        time.sleep(3)  # a mapping may take a moment
        self.row("SQS", lambda n: sqs.send_message(QueueUrl=url, MessageBody=str(n)))
        return sqs, url, mapping

    def sns(self) -> None:
        """Measure a notification of a topic."""
        sns = self.client("sns")
        topic = sns.create_topic(Name=f"t-{secrets.token_hex(6)}")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=self.function())
        self.row("SNS", lambda n: sns.publish(TopicArn=topic, Message=str(n)))

    def eventbridge(self) -> None:
        """Measure an event on the default bus."""
        events, name = self.client("events"), f"r-{secrets.token_hex(6)}"
        events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
        events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": self.function()}])
        entry = {"Source": name, "DetailType": "x", "Detail": "{}"}
        self.row("EventBridge", lambda n: events.put_events(Entries=[entry]))

    def dynamodb(self) -> None:
        """Measure a change of a table."""
        dynamodb, name = self.client("dynamodb"), f"t-{secrets.token_hex(6)}"
        table = dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )["TableDescription"]
        self.client("lambda").create_event_source_mapping(
            EventSourceArn=table["LatestStreamArn"],
            FunctionName=self.function(),
            StartingPosition="TRIM_HORIZON",
        )
        time.sleep(5)  # a mapping may take a moment
        self.effects.drop()
        self.row(
            "DynamoDB stream",
            lambda n: dynamodb.put_item(TableName=name, Item={"id": {"S": str(n)}}),
        )

    def kinesis(self) -> None:
        """Measure a record of a stream."""
        kinesis, name = self.client("kinesis"), f"s-{secrets.token_hex(6)}"
        kinesis.create_stream(StreamName=name, ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        arn = kinesis.describe_stream(StreamName=name)["StreamDescription"]["StreamARN"]
        self.client("lambda").create_event_source_mapping(
            EventSourceArn=arn, FunctionName=self.function(), StartingPosition="TRIM_HORIZON"
        )
        time.sleep(5)  # a mapping may take a moment
        self.effects.drop()
        self.row(
            "Kinesis", lambda n: kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k")
        )

    # -- rates --------------------------------------------------------------------------------

    def drain(self, sqs: Any, url: str, mapping: str, messages: int) -> None:
        """Send while the mapping is disabled, then measure how fast it drains the queue."""
        functions = self.client("lambda")
        functions.update_event_source_mapping(UUID=mapping, Enabled=False)
        time.sleep(3)

        def send(batch: int) -> None:
            entries = [{"Id": str(n), "MessageBody": str(batch * 10 + n)} for n in range(10)]
            sqs.send_message_batch(QueueUrl=url, Entries=entries)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(send, range(messages // 10)))
        self.effects.drop()
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)
        self._count("SQS drain", messages, messages)

    def burst(self, bucket: str, objects: int) -> None:
        """Upload over 8 connections."""
        self.effects.drop()
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(_UPLOADS % (bucket, objects))
            script.flush()
            url = f"http://127.0.0.1:{self.server.edge}"
            with subprocess.Popen(
                ["wrk", "-t1", "-c8", "-d60s", "-s", script.name, url], stdout=subprocess.DEVNULL
            ) as uploads:
                self._count("S3 burst", objects, None)
                uploads.terminate()  # it would wait for the end of its minute

    def _count(self, what: str, wanted: int, distinct: int | None) -> None:
        kind = "printing" if self.printing else "silent"
        seen: list[str] = []
        began = None
        with contextlib.suppress(NoEffectError):
            while len(set(seen) if distinct else seen) < wanted:
                seen += self.effects.next()
                began = began or time.perf_counter()
        took = time.perf_counter() - (began or 0)
        lost = wanted - len(set(seen) if distinct else seen)
        rate = f"{wanted / took:8.0f}/s" if not lost else f"{lost} missing"
        print(
            f"{self.server.name:14} {kind:9} {what:18} {wanted} in {took:.2f} s  {rate}", flush=True
        )


def servers(names: list[str]) -> Iterator[Any]:
    """The servers to measure."""
    for make in (trigger_stack, ministack):
        if not names or make.__name__ in names:
            yield make


def main() -> None:
    """Measure and print; ends with code 1 when ``wrk`` is missing."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing. Install it, for example: apt-get install wrk")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=30, help="events of each trigger")
    parser.add_argument("--messages", type=int, default=10_000, help="messages to drain")
    parser.add_argument("--objects", type=int, default=1000, help="objects of the burst")
    parser.add_argument("servers", nargs="*", help="trigger_stack, ministack; both by default")
    options = parser.parse_args()
    for printing in (False, True):
        for make in servers(options.servers):
            with make() as server:
                bench = Bench(server, Effects(), printing, options.runs)
                bench.invoke()
                bucket = bench.s3()
                queue = bench.sqs()
                bench.sns()
                bench.eventbridge()
                bench.dynamodb()
                bench.kinesis()
                bench.drain(*queue, options.messages)
                bench.burst(bucket, options.objects)


if __name__ == "__main__":
    main()

"""Random sequences of what can happen to messages of a queue, against a model.

The queues are LocalStack's, the mapping and the journal are the real ones, in this process: after
each step the queues hold what the model says, and the journal says the same.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, override

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from localstack import config
from localstack.services.sqs.exceptions import InvalidParameterValueException
from localstack.services.sqs.models import FifoQueue, SqsQueue, StandardQueue, sqs_stores
from localstack.services.sqs.provider import MessageMoveTaskManager
from localstack.utils.event_matcher import matches_event

from tests.support.loop import LoopThread
from tests.support.waiting import eventually
from trigger_stack.delivery.core.invocation import Reply, ThrottledError
from trigger_stack.delivery.sqs.journal import MessageJournal, Wait
from trigger_stack.delivery.sqs.mapping import MappingSettings, SqsMapping
from trigger_stack.localstack.sqs import journal as journaling
from trigger_stack.localstack.sqs import queue as in_process
from trigger_stack.localstack.sqs.journal import JournaledProvider, install
from trigger_stack.localstack.sqs.queue import InProcessQueue
from trigger_stack_engine.journal.messages import MessageRecorder
from trigger_stack_engine.journal.store import Journal, read

ACCOUNT, REGION = "000000000000", "us-east-1"
MOST_RECEIVES = 2
KINDS = st.sampled_from(["good", "bad", "filtered"])
QUEUES = st.sampled_from(["queue", "dlq"])
FILTER = json.dumps({"body": {"kind": ["good", "bad"]}})
#: What a test's installation of the journal changes in LocalStack.
PATCHED: list[tuple[type, str]] = [
    *((StandardQueue, name) for name in ("put", "remove_expired_messages", "_on_remove_message")),
    *((FifoQueue, name) for name in ("put", "remove_expired_messages")),
    *((FifoQueue, name) for name in ("_put_message", "requeue_inflight_messages")),
    (MessageMoveTaskManager, "_run"),
    *((SqsQueue, name) for name in ("remove", "clear", "remove_expired_messages_from_heap")),
]


@dataclass
class World:
    """The provider of queues, and the journal that it reports to."""

    provider: JournaledProvider
    journal: MessageJournal
    path: Path


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    loop = LoopThread()

    async def make() -> Journal:
        return Journal(tmp_path / "j.sqlite", "run", 3600, 10**9)

    store = loop.run(make())
    recorder = MessageRecorder(store)
    ended = threading.Event()

    def send(changes: bytes) -> Wait:
        def wait() -> None:
            if not ended.is_set():
                loop.run(recorder.apply(json.loads(changes)))

        return wait

    messages = MessageJournal(send)
    monkeypatch.setattr(config, "SQS_DISABLE_CLOUDWATCH_METRICS", True)
    for owner, name in PATCHED:
        monkeypatch.setattr(owner, name, owner.__dict__[name])  # so that it is put back
    for module in (journaling, in_process):
        monkeypatch.setattr(module, "message_journal", lambda: messages)
    install()
    provider = JournaledProvider()
    plugins = SimpleNamespace(require=lambda name: SimpleNamespace(_provider=provider))
    monkeypatch.setattr(in_process, "SERVICE_PLUGINS", plugins)
    yield World(provider, messages, store.path)
    provider._message_move_task_manager.close()
    messages.commit()
    ended.set()
    loop.call(store.close)
    loop.close()


@dataclass
class Message:
    """A message as the model has it.

    Attributes:
        kind: What the function does with it.
        place: ``queue``, ``dlq``, or an end: ``done``, or what discarded it.
        hidden: Whether it is in flight.
        receives: How often it was received in the queue.
        group: Its group in a FIFO queue.
    """

    kind: str
    place: str = "queue"
    hidden: bool = False
    receives: int = 0
    group: str = ""


class Queues(RuleBasedStateMachine):
    """A queue with a dead-letter queue and a mapping, and the model of them."""

    world: World
    fifo = False

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, Message] = {}
        self.handles: dict[tuple[str, str], str] = {}  # by queue and message, the last one
        base = f"q-{secrets.token_hex(6)}"
        ending = ".fifo" if self.fifo else ""
        self.names = {"queue": f"{base}{ending}", "dlq": f"{base}-dlq{ending}"}
        self.arns = {
            role: f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}" for role, name in self.names.items()
        }
        policy = {"deadLetterTargetArn": self.arns["dlq"], "maxReceiveCount": MOST_RECEIVES}
        common = {"VisibilityTimeout": "40000", **({"FifoQueue": "true"} if self.fifo else {})}
        for role, attributes in (("dlq", {}), ("queue", {"RedrivePolicy": json.dumps(policy)})):
            context = self.request(role)[0]
            self.world.provider.create_queue(context, self.names[role], attributes | common)

    def request(self, role: str) -> tuple[Any, str]:
        """What an operation on a queue gets: its context and the queue's URL."""
        _, context, url = InProcessQueue(self.arns[role])._request()
        return context, url

    def real(self, role: str) -> Any:
        return sqs_stores[ACCOUNT][REGION].queues[self.names[role]]

    def there(self, role: str) -> set[str]:
        """Messages of a queue that are not in flight."""
        queue = self.real(role)
        if self.fifo:
            waiting = [one for group in queue.message_groups.values() for one in group.messages]
        else:
            waiting = queue.visible.queue
        return {one.message_id for one in waiting if not one.deleted}

    def visible(self, role: str) -> list[str]:
        return [i for i, one in self.model.items() if one.place == role and not one.hidden]

    def receivable(self, role: str) -> list[str]:
        """Those that no message of their group blocks, which is in flight."""
        in_queue = [one for one in self.model.values() if one.place == role]
        blocked = {one.group for one in in_queue if one.hidden} if self.fifo else set()
        return [one for one in self.visible(role) if self.model[one].group not in blocked]

    def dead_letter(self, message: str) -> None:
        """A message has moved: it is the last one there."""
        one = self.model.pop(message)
        self.model[message] = Message(one.kind, "dlq", group=one.group)

    # -- what clients do ----------------------------------------------------------------------

    @rule(
        kinds=st.lists(st.tuples(KINDS, st.sampled_from("ab")), min_size=1, max_size=4),
        batch=st.booleans(),
    )
    def send(self, kinds: list[tuple[str, str]], batch: bool) -> None:
        bodies = [json.dumps({"kind": kind}) for kind, _ in kinds]
        provider = self.world.provider
        if batch:
            entries: Any = [
                {"Id": str(i), "MessageBody": body, **self.fifo_entry(group)}
                for i, (body, (_, group)) in enumerate(zip(bodies, kinds, strict=True))
            ]
            answer = provider.send_message_batch(*self.request("queue"), entries)
            ids = [one["MessageId"] for one in answer["Successful"]]
        else:
            ids = []
            for body, (_, group) in zip(bodies, kinds, strict=True):
                more = self.fifo_entry(group)
                sent = provider.send_message(
                    *self.request("queue"),
                    body,
                    message_group_id=more.get("MessageGroupId"),
                    message_deduplication_id=more.get("MessageDeduplicationId"),
                )
                ids.append(sent["MessageId"])
        for message, (kind, group) in zip(ids, kinds, strict=True):
            self.model[message] = Message(kind, group=group if self.fifo else "")

    def fifo_entry(self, group: str) -> dict[str, str]:
        if not self.fifo:
            return {}
        return {"MessageGroupId": group, "MessageDeduplicationId": secrets.token_hex(8)}

    @rule(role=QUEUES, count=st.sampled_from([1, 3, 10]))
    def receive(self, role: str, count: int) -> None:
        answer = self.world.provider.receive_message(
            *self.request(role), max_number_of_messages=count
        )
        messages = {one["MessageId"]: one for one in answer.get("Messages") or []}
        assert len(messages) <= count
        allowed = self.receivable(role)
        too_often = [
            one for one in allowed
            if role == "queue" and self.model[one].receives == MOST_RECEIVES
        ]  # fmt: skip
        assert messages.keys() <= set(allowed) - set(too_often)
        moved = [one for one in too_often if one in self.there("dlq")]
        consumed = messages.keys() | set(moved)
        if self.fifo:
            for group in "ab":
                order = [one for one in allowed if self.model[one].group == group]
                first = order[: len(consumed & set(order))]
                assert set(first) == consumed & set(order), "a group keeps its order"
        if len(messages) < count:
            assert consumed == set(allowed), "it looked at every message"
        for message, one in messages.items():
            self.model[message].hidden = True
            self.model[message].receives += 1
            self.handles[role, message] = one["ReceiptHandle"]
        for message in moved:
            self.dead_letter(message)

    @precondition(lambda self: self.handles)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Also with the handle of a message that has become visible, or left the queue."""
        role, message = data.draw(st.sampled_from(list(self.handles)))
        one, handle = self.model[message], self.handles.pop((role, message))
        if self.fifo and one.place == role and not one.hidden:
            with pytest.raises(InvalidParameterValueException, match="has expired"):
                self.world.provider.delete_message(*self.request(role), handle)
            return
        self.world.provider.delete_message(*self.request(role), handle)
        if one.place == role:
            one.place = "done"

    @precondition(lambda self: self.in_flight())
    @rule(data=st.data())
    def end_visibility_timeout(self, data: st.DataObject) -> None:
        role, message = data.draw(st.sampled_from(self.in_flight()))
        handle = self.handles[role, message]
        self.world.provider.change_message_visibility(*self.request(role), handle, 0)
        self.model[message].hidden = False

    def in_flight(self) -> list[tuple[str, str]]:
        """Messages that a client holds."""
        return [
            (role, message) for role, message in self.handles
            if self.model[message].place == role and self.model[message].hidden
        ]  # fmt: skip

    @rule(role=QUEUES)
    def purge(self, role: str) -> None:
        self.world.provider.purge_queue(*self.request(role))
        for message, one in self.model.items():
            if one.place == role:
                one.place = "PurgeQueue"
            self.handles.pop((role, message), None)

    @rule()
    def redrive(self) -> None:
        """Every dead letter that is not in flight goes back to its queue."""
        provider, (context, _) = self.world.provider, self.request("dlq")
        back = self.receivable("dlq")
        provider.start_message_move_task(context, self.arns["dlq"])

        def moved() -> bool:
            answer = provider.list_message_move_tasks(context, self.arns["dlq"], max_results=10)
            states = {task["Status"] for task in answer["Results"]}
            assert states == {"COMPLETED"}, answer
            return True

        eventually(moved, every=0.005)
        for message in back:
            one = self.model.pop(message)
            self.model[message] = Message(one.kind, group=one.group)
            for role in self.names:
                self.handles.pop((role, message), None)

    # -- what happens by itself ---------------------------------------------------------------

    @rule(role=QUEUES)
    def let_visibility_timeouts_end(self, role: str) -> None:
        queue = self.real(role)
        for message in queue.inflight:
            message.visibility_deadline = 0
        queue.requeue_inflight_messages()
        for one in self.model.values():
            if one.place == role:
                one.hidden = False

    @rule(mode=st.sampled_from(["report", "raise", "throttle"]), size=st.sampled_from([1, 3, 10]))
    def enable_and_disable_the_mapping(self, mode: str, size: int) -> None:
        """It takes every message that is there; what it has begun it ends."""
        events: list[list[str]] = []

        def invoke(payload: bytes) -> Reply:
            events.append([one["messageId"] for one in json.loads(payload)["Records"]])
            return FUNCTIONS[mode](payload)

        mapping = SqsMapping(
            MappingSettings(
                self.arns["queue"],
                REGION,
                batch_size=size,
                report_failures=True,
                patterns=(FILTER,),
            ),
            InProcessQueue(self.arns["queue"]),
            invoke,
            matches_event,
        )
        before = self.visible("queue")
        thread = threading.Thread(target=mapping.run)
        thread.start()
        eventually(lambda: self.is_drained(before, mode), every=0.002)
        mapping.stop()
        thread.join(30)
        assert not thread.is_alive()
        if self.fifo:
            self.keeps_the_order(events, before)
        for message in before:
            one = self.model[message]
            if self.fifo and message in self.there("queue"):
                continue  # behind one that failed
            if one.receives == MOST_RECEIVES:
                self.dead_letter(message)
                continue
            one.receives, one.hidden = one.receives + 1, True
            if one.kind == "filtered":
                one.place = "FilterCriteria of the event source mapping"
            elif one.kind == "good" and mode == "report":
                one.place = "done"

    def is_drained(self, before: list[str], mode: str) -> bool:
        """Whether the mapping has nothing to do."""
        queue = self.real("queue")
        if not self.fifo:
            return not queue.visible.queue
        # A message that is handled makes room for the next one of its group.
        if any(not group.empty() for group in list(queue.message_group_queue.queue)):
            return False
        self.world.journal.commit()
        sql = "SELECT id FROM events WHERE source = ? AND state = 'pending'"
        waiting = {row["id"] for row in read(self.world.path, sql, [self.arns["queue"]])}
        hidden = {one.message_id for one in list(queue.inflight)}
        behind = self.there("queue")
        return all(
            message in behind or (message in hidden and self.stays(message, mode))
            for message in before
            if message in waiting
        )

    def stays(self, message: str, mode: str) -> bool:
        """Whether a message that is handled stays in its queue."""
        kind = self.model[message].kind
        return kind == "bad" or (kind == "good" and mode != "report")

    def keeps_the_order(self, events: list[list[str]], before: list[str]) -> None:
        """An event has messages of one group, in their order, and none follows one that failed."""
        hidden = {one.message_id for one in self.real("queue").inflight}
        for group in "ab":
            mine = [
                event for event in events if {self.model[one].group for one in event} == {group}
            ]
            seen = [message for event in mine for message in event]
            assert seen == [message for message in before if message in seen]
            failed = [bool(hidden & set(event)) for event in mine]
            assert not any(failed[:-1]), "its group is blocked"
        assert all(len({self.model[one].group for one in event}) == 1 for event in events)

    # -- what must be true --------------------------------------------------------------------

    @invariant()
    def the_queues_hold_what_the_model_says(self) -> None:
        for role in self.names:
            hidden = {one.message_id for one in self.real(role).inflight}
            assert self.there(role) == set(self.visible(role)), role
            assert hidden == {i for i, o in self.model.items() if o.place == role and o.hidden}

    @invariant()
    def the_journal_says_the_same(self) -> None:
        self.world.journal.commit()
        sql = "SELECT id, state, place FROM events WHERE source = ?"
        rows = read(self.world.path, sql, [self.arns["queue"]])
        assert {row["id"]: (row["state"], row["place"]) for row in rows} == {
            message: self.state_of(one) for message, one in self.model.items()
        }

    def state_of(self, one: Message) -> tuple[str, str]:
        match one.place:
            case "queue":
                return "pending", self.arns["queue"]
            case "dlq":
                return "dead-letter", self.arns["dlq"]
            case "done":
                return "done", ""
            case reason:
                return "discarded", reason

    @override
    def teardown(self) -> None:
        for role in self.names:
            self.world.provider.delete_queue(*self.request(role))


def _report(payload: bytes) -> Reply:
    """Report the bad messages."""
    records = json.loads(payload)["Records"]
    bad = [one["messageId"] for one in records if json.loads(one["body"])["kind"] == "bad"]
    failures = [{"itemIdentifier": message} for message in bad]
    return Reply(False, json.dumps({"batchItemFailures": failures}).encode(), "request")


def _throttle(payload: bytes) -> Reply:
    raise ThrottledError


FUNCTIONS: dict[str, Callable[[bytes], Reply]] = {
    "report": _report,
    "raise": lambda payload: Reply(True, b"{}", "request"),
    "throttle": _throttle,
}


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_queues_mapping_and_journal_agree_with_a_model(world: World, fifo: bool) -> None:
    machine = type("Machine", (Queues,), {"world": world, "fifo": fifo})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_message_can_become_a_dead_letter_and_come_back_again_and_again(
    world: World, fifo: bool
) -> None:
    """All within the five minutes in which a FIFO queue takes its deduplication id once."""
    queues: Queues = type("Machine", (Queues,), {"world": world, "fifo": fifo})()

    def agree() -> None:
        queues.the_queues_hold_what_the_model_says()
        queues.the_journal_says_the_same()

    queues.send([("bad", "a"), ("bad", "b")], False)
    for _ in range(2):
        for _ in range(MOST_RECEIVES):
            queues.receive("queue", 10)
            queues.let_visibility_timeouts_end("queue")
        queues.receive("queue", 10)
        agree()
        assert {one.place for one in queues.model.values()} == {"dlq"}
        queues.redrive()
        agree()
        assert len(queues.visible("queue")) == 2
    queues.teardown()

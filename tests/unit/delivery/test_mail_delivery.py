"""A mail is written down before its sender is told, and each of its actions has an end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import eventually
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.mail.delivery import Done, Job, PostOffice, RefusedError
from trigger_stack.delivery.mail.message import Envelope
from trigger_stack.delivery.mail.rules import RuleSet, Step

TO = "in@shop.example"
ENVELOPE = Envelope("ann@client.example", (TO,))
RAW = b"Subject: hello\r\n\r\nbody\r\n"


class World:
    """Rule sets, a journal in memory, and actions whose answers are given."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.rule_sets: list[RuleSet] = []
        self.outcomes: list[Outcome] = []
        self.acted: list[str] = []
        self.answers: dict[str, Callable[[], Done]] = {}
        self.refuses: Exception | None = None
        self.folder = folder
        self.office = PostOffice(
            lambda: self.rule_sets,
            self.act,
            self.accept,
            self.outcomes.append,
            folder,
            **settings,
        )

    def act(self, job: Job, step: Step) -> Done:
        self.acted.append(str(step))
        answer = self.answers.get(step.kind)
        return answer() if answer else Done("did", keeps=step.kind == "S3")

    def accept(self, outcome: Outcome) -> None:
        if self.refuses:
            raise self.refuses
        self.outcomes.append(outcome)

    def rules(self, *rules: dict[str, Any], account: str = "1") -> None:
        one = RuleSet(account, "us-east-1", "set", rules, frozenset({"shop.example"}))
        self.rule_sets.append(one)

    def end(self, identity: str) -> Outcome:
        def last() -> Outcome | None:
            found = [one for one in self.outcomes if one.id == identity]
            return found[-1] if found and found[-1].state != "pending" else None

        found = eventually(last)
        assert found is not None
        return found

    def files(self) -> list[str]:
        return sorted(one.name for one in self.folder.glob("*"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "mail")


def rule(name: str, *kinds: str, **more: Any) -> dict[str, Any]:
    bodies = {"Lambda": {"FunctionArn": "f", "TopicArn": "t"}}
    actions = [{f"{kind}Action": bodies.get(kind, {})} for kind in kinds]
    return {"Name": name, "Enabled": True, "Actions": actions, **more}


def raising(*errors: Exception) -> Callable[[], Done]:
    left = list(errors)

    def answer() -> Done:
        if left:
            raise left.pop(0)
        return Done("did at last", keeps=True)

    return answer


def test_a_mail_is_in_the_journal_and_in_a_file_before_anything_is_done(world: World) -> None:
    world.rules(rule("one", "S3"))
    seen: list[Any] = []

    def store() -> Done:
        seen.append((len(world.outcomes), world.files()))
        return Done("kept", keeps=True)

    world.answers["S3"] = store

    identity = world.office.take(ENVELOPE, RAW)

    end = world.end(identity)
    assert seen == [(1, [f"{identity}.eml", f"{identity}.json"])]
    first = world.outcomes[0]
    assert (first.kind, first.state, first.target) == ("mail", "pending", TO)
    assert first.source == "arn:aws:ses:us-east-1:1:receipt-rule-set/set"
    assert json.loads(first.payload)["mail"]["messageId"] == identity
    assert first.steps == (("accepted", f"{len(RAW)} bytes from ann@client.example"),)
    assert end.state == "done"
    assert end.steps == (("rule one: S3", "kept"),)
    eventually(lambda: world.files() == [])


def test_a_mail_that_cannot_be_written_down_is_nobodys(world: World) -> None:
    world.rules(rule("one", "S3"))
    world.refuses = OSError("no journal")

    with pytest.raises(OSError, match="no journal"):
        world.office.take(ENVELOPE, RAW)

    assert world.files() == []
    assert world.acted == []


@pytest.mark.parametrize(
    ("recipient", "why"),
    [
        ("other@shop.example", "no enabled rule of the active rule set set is for it"),
        ("in@other.example", "its domain is not a verified identity"),
    ],
)
def test_a_recipient_that_no_rule_is_for_is_refused(world: World, recipient: str, why: str) -> None:
    with pytest.raises(RefusedError, match="no receipt rule set is active"):
        world.office.check_recipient(recipient, tls=False)
    world.rules(rule("one", "S3", Recipients=[TO]))

    with pytest.raises(RefusedError, match=why) as refused:
        world.office.check_recipient(recipient, tls=False)
    assert refused.value.reply.startswith("550 5.1.1 ")
    world.office.check_recipient(TO, tls=False)


def test_a_rule_may_ask_for_an_encrypted_connection(world: World) -> None:
    world.rules(rule("one", "S3", TlsPolicy="Require"))

    with pytest.raises(RefusedError, match="STARTTLS"):
        world.office.check_recipient(TO, tls=False)
    world.office.check_recipient(TO, tls=True)


def test_rules_that_changed_meanwhile_refuse_the_mail(world: World) -> None:
    world.rules(rule("one", "S3"))
    world.office.check_recipient(TO, tls=False)
    world.rule_sets.clear()

    with pytest.raises(RefusedError):
        world.office.take(ENVELOPE, RAW)
    assert world.outcomes == []


def test_an_action_that_fails_is_tried_again_and_what_comes_after_it_waits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.rules(rule("one", "AddHeader", "S3", "Stop"))
    world.answers["S3"] = raising(OSError("no bucket"), OSError("no bucket"))

    waiting: list[tuple[Job, float]] = []
    monkeypatch.setattr(world.office.retries, "add", lambda *one: waiting.append(one))

    identity = world.office.take(ENVELOPE, RAW)

    eventually(lambda: waiting)
    for _ in range(2):
        job, delay = waiting.pop()
        assert 0 < delay < 3
        last = world.outcomes[-1]
        assert (last.state, last.place) == ("pending", "rule one: S3: no bucket")
        assert ("rule one: S3 failed", "no bucket") in last.steps
        world.office.attempt(job)
    end = world.end(identity)
    assert end.state == "done"
    assert end.attempts == 3
    assert world.acted == [
        "rule one: AddHeader",
        "rule one: S3",
        "rule one: S3",
        "rule one: S3",
        "rule one: Stop",
    ]


def test_after_four_hours_the_mail_is_lost_and_says_where_it_is(tmp_path: Path) -> None:
    world = World(tmp_path, gives_up_after_s=0)
    world.rules(rule("one", "S3", "Lambda"))
    world.answers["S3"] = raising(OSError("no bucket"))

    identity = world.office.take(ENVELOPE, RAW)

    end = world.end(identity)
    assert end.state == "lost"
    assert "rule one: S3: no bucket" in end.place
    file = tmp_path / f"{identity}.eml"
    assert str(file) in end.place
    assert file.read_bytes() == RAW
    assert world.acted == ["rule one: S3"]


def test_the_clock_brings_the_next_try_and_the_end_forward(world: World) -> None:
    world.rules(rule("one", "S3"))
    world.answers["S3"] = raising(*[OSError("no bucket")] * 50)
    identity = world.office.take(ENVELOPE, RAW)
    eventually(lambda: world.acted)

    world.office.advance(-3600)  # nothing goes back
    world.office.advance(4 * 3600)

    end = world.end(identity)
    assert end.state == "lost"
    assert "not done within 4 hours" in end.place


def test_the_default_is_what_aws_documents(world: World) -> None:
    assert world.office._gives_up_after_s == 4 * 3600


@pytest.mark.parametrize(
    ("disposition", "acted"),
    [
        ("", ["one: Lambda", "one: Lambda notification", "one: S3", "two: S3"]),
        ("STOP_RULE", ["one: Lambda", "one: Lambda notification", "two: S3"]),
        ("STOP_RULE_SET", ["one: Lambda", "one: Lambda notification"]),
    ],
)
def test_a_function_may_end_the_rule_or_the_rule_set(
    world: World, disposition: str, acted: list[str]
) -> None:
    world.rules(rule("one", "Lambda", "S3"), rule("two", "S3"))
    world.answers["Lambda"] = lambda: Done("answered", disposition)

    end = world.end(world.office.take(ENVELOPE, RAW))

    assert world.acted == [f"rule {one}" for one in acted]
    assert end.state == ("discarded" if disposition == "STOP_RULE_SET" else "done")
    if disposition:
        assert "answered" in end.place


def test_a_mail_that_no_action_keeps_is_discarded_with_the_reason(world: World) -> None:
    world.rules(rule("one", "AddHeader"))

    end = world.end(world.office.take(ENVELOPE, RAW))

    assert end.state == "discarded"
    assert "no action of the rules" in end.place


def test_each_accounts_rule_set_has_its_own_event(world: World) -> None:
    world.rules(rule("one", "S3"), account="1")
    world.rules(rule("one", "S3"), account="2")

    world.office.take(ENVELOPE, RAW)

    eventually(lambda: sum(one.state == "done" for one in world.outcomes) == 2)
    assert len({one.id for one in world.outcomes}) == 2


def restarted(world: World, **settings: Any) -> World:
    """Another emulator with the same folder, and nothing else of the first."""
    return World(world.folder, **settings)


def test_a_mail_is_resumed_when_there_are_rules_for_it(world: World) -> None:
    world.rules(rule("one", "S3", "Lambda"))
    world.answers["S3"] = raising(*[OSError("no bucket")] * 99)
    identity = world.office.take(ENVELOPE, RAW)
    eventually(lambda: world.acted)

    other = restarted(world)
    other.rules(rule("one", "S3"), account="2")
    unfinished = other.office.unfinished()
    other.office.resume(unfinished)
    assert [(one.id, one.state) for one in other.outcomes] == [(identity, "pending")]
    assert other.outcomes[0].source == "arn:aws:ses:us-east-1:1:receipt-rule-set/set"
    assert not other.acted, "the rules of another account are not for it"

    other.rules(rule("two", "S3", "Lambda"))

    end = other.end(identity)
    assert (end.state, end.place) == ("done", "")
    assert other.acted[:2] == ["rule two: S3", "rule two: Lambda"]
    steps = [name for one in other.outcomes for name, _ in one.steps]
    assert steps[:2] == ["accepted", "resumed"]
    assert eventually(lambda: not other.files())


def test_a_mail_that_nobody_has_rules_for_any_longer_is_lost_and_kept(world: World) -> None:
    world.rules(rule("one", "S3"))
    world.answers["S3"] = raising(*[OSError("no bucket")] * 99)
    identity = world.office.take(ENVELOPE, RAW)
    (world.folder / "broken.json").write_text("{")

    other = restarted(world, gives_up_after_s=0.0)
    other.office.resume(other.office.unfinished())

    end = other.end(identity)
    assert end.state == "lost"
    assert f"{identity}.eml" in end.place
    assert other.files() == sorted(["broken.json", f"{identity}.eml"])


def test_a_mail_with_an_end_is_not_resumed(world: World) -> None:
    world.rules(rule("one", "S3"))
    world.end(world.office.take(ENVELOPE, RAW))

    assert eventually(lambda: not world.files())
    assert restarted(world).office.unfinished() == []

"""Which rules of a bus get an event, and what the journal has of those that none gets."""

from __future__ import annotations

import inspect
import json
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.services.events.provider import EventsProvider
from localstack.utils.event_matcher import matches_event

from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.localstack.events import dispatch
from trigger_stack.localstack.lambda_engine import outcomes
from trigger_stack.wsgi_server.before_response import NotDoneError

EVENT = {"id": "1", "source": "shop", "detail": {}, "event-bus-name": "orders"}
ARCHIVE = "arn:aws:events:us-east-1:000000000000:archive/all"


def rule(name: str, pattern: str | None = '{"source": ["shop"]}', **more: Any) -> Any:
    arn = f"arn:aws:events:us-east-1:000000000000:rule/orders/{name}"
    targets = {"1": {"Id": "1", "Arn": more.pop("target", "arn:aws:sqs:us-east-1:0:q")}}
    given = {"state": "ENABLED", "schedule_expression": None, **more}
    return SimpleNamespace(name=name, arn=arn, event_pattern=pattern, targets=targets, **given)


class World:
    """A bus without LocalStack."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outcomes: list[Outcome] = []
        self.given: list[str] = []
        self.archived: list[str] = []
        monkeypatch.setattr(outcomes, "record", self._record)
        monkeypatch.setattr(dispatch, "hand_over", lambda sender, *_: self.given.append(sender))

    def _record(self, outcome: Outcome) -> bool:
        self.outcomes.append(outcome)
        return True

    def _put_to_archive(self, *_: Any, archive_target_id: str, **__: Any) -> None:
        self.archived.append(archive_target_id)

    def dispatch(self, *rules: Any) -> None:
        self._target_sender_store = {f"{one.arn}-1": one.name for one in rules}
        dispatch.dispatch(self, list(rules), EVENT, None, account="0", region="us-east-1")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_each_rule_that_matches_gets_the_event(world: World) -> None:
    world.dispatch(rule("a"), rule("b", '{"source": ["other"]}'), rule("c"))

    assert (world.given, world.outcomes) == (["a", "c"], [])


def test_a_disabled_rule_does_not_get_it(world: World) -> None:
    world.dispatch(rule("off", state="DISABLED"))

    assert world.given == []
    [outcome] = world.outcomes
    assert (outcome.state, outcome.source) == (
        "discarded",
        "arn:aws:events:us-east-1:0:event-bus/orders",
    )
    assert outcome.place == "EventPattern: no enabled rule matches (of off)"
    assert json.loads(outcome.payload) == {"id": "1", "source": "shop", "detail": {}}


def test_a_rule_may_have_a_schedule_besides(world: World) -> None:
    world.dispatch(rule("both", schedule_expression="rate(1 day)"), rule("timer", None))

    assert world.given == ["both"]


def test_a_bus_without_patterns_is_named_as_that(world: World) -> None:
    world.dispatch(rule("timer", None))

    assert world.outcomes[0].place == "the bus has no rule with an event pattern"


def test_an_archive_keeps_the_event_and_counts_as_a_rule_that_matched(world: World) -> None:
    world.dispatch(rule("archive", target=ARCHIVE), rule("other", '{"source": ["x"]}'))

    assert (world.archived, world.outcomes) == (["1"], [])


def test_a_rule_that_cannot_be_followed_costs_no_other_rule_the_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("archive")

    monkeypatch.setattr(world, "_put_to_archive", fail)

    world.dispatch(rule("gone", target=ARCHIVE), rule("b"))

    assert world.given == ["b"]
    [outcome] = world.outcomes
    assert (outcome.state, outcome.source) == ("lost", rule("gone").arn)
    assert "KeyError" in outcome.place


def test_a_target_that_fails_costs_no_other_target_of_its_rule_the_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hand_over(sender: str, *_: Any) -> None:
        if sender == "one":
            raise RuntimeError("no thread can be started")
        world.given.append(sender)

    monkeypatch.setattr(dispatch, "hand_over", hand_over)
    two = rule("two")
    two.targets["2"] = {"Id": "2", "Arn": "arn:aws:sqs:us-east-1:0:other"}
    world._target_sender_store = {f"{two.arn}-1": "one", f"{two.arn}-2": "other"}

    dispatch.dispatch(world, [two], EVENT, None, account="0", region="us-east-1")

    assert world.given == ["other"]
    assert [one.state for one in world.outcomes] == ["lost"]


@pytest.mark.parametrize("state", ["ENABLED", "DISABLED"])
def test_what_the_journal_cannot_have_is_not_answered_for(
    world: World, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no thread can be started")

    monkeypatch.setattr(dispatch, "hand_over", fail)
    monkeypatch.setattr(outcomes, "record", lambda _: False)

    with pytest.raises(NotDoneError):
        world.dispatch(rule("a", state=state))


def test_a_target_that_was_removed_meanwhile_does_not_get_it(world: World) -> None:
    one = rule("a")

    class Senders(dict[str, str]):
        def get(self, *_: Any) -> None:
            one.targets.clear()

    world._target_sender_store = Senders()
    dispatch.dispatch(world, [one], EVENT, None, account="0", region="us-east-1")

    assert world.given == []
    [outcome] = world.outcomes
    assert (outcome.state, outcome.source) == ("discarded", one.arn)
    assert outcome.place.startswith("RemoveTargets: ")


def test_a_target_that_localstack_cannot_deliver_to_loses_it(world: World) -> None:
    one = rule("a")
    world._target_sender_store = {}
    dispatch.dispatch(world, [one], EVENT, None, account="0", region="us-east-1")

    [outcome] = world.outcomes
    assert (outcome.state, outcome.source) == ("lost", one.arn)


def test_a_rule_without_a_target_is_named(world: World) -> None:
    one = rule("a")
    one.targets.clear()
    dispatch.dispatch(world, [one], EVENT, None, account="0", region="us-east-1")

    [outcome] = world.outcomes
    assert (outcome.state, outcome.place) == (
        "discarded",
        "the rules that match have no target: a",
    )


@pytest.mark.parametrize("pattern", ["[]", '"source"', "5", "{"])
def test_a_rule_whose_pattern_is_none_costs_no_other_rule_the_event(
    world: World, pattern: str
) -> None:
    world.dispatch(rule("bad", pattern), rule("b"))

    assert (world.given, world.outcomes) == (["b"], [])


def test_localstack_still_matches_otherwise() -> None:
    """When this fails, see what ``delivery/core/event_pattern.py`` still does better."""
    assert not matches_event({"a": [{"wildcard": "a*b"}]}, {"a": "ab"})
    assert matches_event({"a": {"n": [1], "v": [2]}}, {"a": [{"n": 1}, {"v": 2}]})
    assert matches_event({"a": [1]}, {"a": True})


def test_localstack_still_answers_before_it_looks_for_rules() -> None:
    """When this fails, see what of the patch is still needed."""
    entry = inspect.getsource(inspect.unwrap(EventsProvider._process_entry))
    rules = inspect.getsource(EventsProvider._process_rules)

    assert "start_worker_thread" in entry
    assert "state" not in rules, "a disabled rule fires"

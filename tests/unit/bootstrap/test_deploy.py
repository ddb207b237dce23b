"""The deploy engine, with resource types that live in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from bootstrap import deploy as engine
from bootstrap.checks import check, resources
from bootstrap.definition.document import Document
from bootstrap.deploy import Deployment, deploy
from bootstrap.errors import DefinitionError, DeployError
from bootstrap.services.base import Context, Outcome, ReplacementError, ResourceType
from bootstrap.services.shapes import number
from bootstrap.settings import Settings
from bootstrap.template import Physical, Resource, Template, needs

DEADLINE = 10


@dataclass
class Account:
    """Records the created resources; each resource behaves as the test says."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    behaviour: dict[str, Callable[[], None]] = field(default_factory=dict)

    def ensure(
        self, context: Context, logical_id: str, properties: dict[str, Any]
    ) -> tuple[Outcome, Physical]:
        self.order.append(logical_id)
        self.behaviour.get(logical_id, lambda: None)()
        before = self.things.get(logical_id)
        self.things[logical_id] = properties
        physical = Physical(f"ref-{logical_id}", {"Arn": f"arn-{logical_id}"})
        if before is None:
            return Outcome.CREATED, physical
        return (Outcome.UNCHANGED if before == properties else Outcome.CHANGED), physical


def anything(value: object) -> tuple[()]:
    """Every value has this shape."""
    return ()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    thing = ResourceType(account.ensure, {}, {"Name": anything, "Uses": anything})
    strict = ResourceType(
        account.ensure, {"Name": anything}, {"Count": number(1), "Uses": anything}
    )
    for module in (engine, resources):
        monkeypatch.setattr(
            module, "RESOURCE_TYPES", {"Test::Thing": thing, "Test::Strict": strict}
        )
    return account


def template(*resources: Resource) -> Template:
    lines: dict[tuple[str | int, ...], int] = {
        (r.logical_id,): number for number, r in enumerate(resources, 10)
    }
    made = Template("shop", "us-east-1", "test", Document(Path("serverless.yml"), {}, lines))
    for resource in resources:
        made.add(resource)
    return made


def thing(name: str, *needs: str, kind: str = "Test::Thing", **properties: Any) -> Resource:
    return Resource(name, kind, properties, (name,), needs)


def run(made: Template) -> Deployment:
    context = Context(Settings(4566, 8080, "us-east-1"), "shop")
    context.__dict__["account"] = "000000000000"  # else it asks STS
    return deploy(made, context, lambda resource, outcome: None)


def test_resources_get_what_the_others_became(account: Account) -> None:
    deployment = run(
        template(
            thing("Rule", Uses=[{"Ref": "Queue"}, {"Fn::GetAtt": ["Queue", "Arn"]}]),
            thing("Queue", Name={"Fn::Sub": "q-${AWS::AccountId}"}),
        )
    )

    assert account.order == ["Queue", "Rule"]
    assert account.things["Queue"] == {"Name": "q-000000000000"}
    assert account.things["Rule"] == {"Uses": ["ref-Queue", "arn-Queue"]}
    assert deployment.count(Outcome.CREATED) == 2


def test_the_second_run_changes_nothing_and_the_third_what_differs(account: Account) -> None:
    run(template(thing("A", Name="a"), thing("B", Name="b")))

    second = run(template(thing("A", Name="a"), thing("B", Name="b")))
    third = run(template(thing("A", Name="a"), thing("B", Name="other")))

    assert set(second.outcomes.values()) == {Outcome.UNCHANGED}
    assert third.outcomes == {"A": Outcome.UNCHANGED, "B": Outcome.CHANGED}


def test_independent_resources_wait_together(account: Account) -> None:
    meeting = threading.Barrier(3, timeout=DEADLINE)  # broken unless all three are there at once
    for name in ("A", "B", "C"):
        account.behaviour[name] = lambda: (meeting.wait(), None)[1]

    assert run(template(thing("A"), thing("B"), thing("C"))).count(Outcome.CREATED) == 3


def test_a_resource_begins_when_what_it_needs_is_there_not_when_all_are(account: Account) -> None:
    meeting = threading.Barrier(2, timeout=DEADLINE)  # broken unless both are there at once
    for name in ("After", "Slow"):
        account.behaviour[name] = lambda: (meeting.wait(), None)[1]

    run(template(thing("Slow"), thing("Quick"), thing("After", "Quick")))

    assert account.order.index("After") > account.order.index("Quick")


def test_progress_is_told_of_each_resource(account: Account) -> None:
    seen = []
    context = Context(Settings(4566, 8080, "us-east-1"), "shop", {})
    context.__dict__["account"] = "0"

    deploy(
        template(thing("A"), thing("B", "A")), context, lambda r, o: seen.append((r.logical_id, o))
    )

    assert seen == [("A", Outcome.CREATED), ("B", Outcome.CREATED)]


def raises(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


REFUSED = ClientError({"Error": {"Code": "Conflict", "Message": "It is there."}}, "CreateThing")


def test_a_failure_says_where_what_and_what_was_created_before(account: Account) -> None:
    account.behaviour["B"] = raises(REFUSED)

    with pytest.raises(DeployError) as caught:
        run(template(thing("A"), thing("B", "A"), thing("C", "B")))

    assert str(caught.value) == (
        "serverless.yml:11: B (Test::Thing): CreateThing: Conflict: It is there. "
        "Created or changed before that: A. They stay; the next run continues from there."
    )
    assert account.order == ["A", "B"]


def test_the_next_run_continues(account: Account) -> None:
    account.behaviour["B"] = raises(REFUSED)
    made = template(thing("A"), thing("B", "A"), thing("C", "B"))
    with pytest.raises(DeployError):
        run(made)
    del account.behaviour["B"]

    assert run(made).outcomes == {
        "A": Outcome.UNCHANGED,
        "B": Outcome.CREATED,
        "C": Outcome.CREATED,
    }


def test_a_failure_before_anything_was_created(account: Account) -> None:
    account.behaviour["A"] = raises(REFUSED)

    with pytest.raises(DeployError, match=r"It is there\. Nothing was created or changed\.$"):
        run(template(thing("A")))


def test_what_was_there_already_is_not_called_created(account: Account) -> None:
    run(template(thing("A")))
    account.behaviour["B"] = raises(REFUSED)

    with pytest.raises(DeployError, match="Nothing was created or changed"):
        run(template(thing("A"), thing("B", "A")))


def test_nothing_new_begins_after_a_failure_and_what_is_under_way_is_reported(
    account: Account,
) -> None:
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise REFUSED

    account.behaviour["Bad"] = fail
    account.behaviour["Slow"] = lambda: None if failed.wait(DEADLINE) else pytest.fail("waited")

    with pytest.raises(DeployError, match="Created or changed before that: Slow"):
        run(template(thing("Slow"), thing("Bad"), thing("After", "Slow")))

    assert "After" not in account.order


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EndpointConnectionError(endpoint_url="http://x"), "Nothing answers at http://localhost:4566"
                                                           ". Start the stack with: make up"),
        (ReplacementError("the table x exists"), "serverless.yml:10: A (Test::Thing): the table x"),
        (RuntimeError("target t: no"), "serverless.yml:10: A (Test::Thing): target t: no."),
    ],
)  # fmt: skip
def test_other_failures(account: Account, error: Exception, said: str) -> None:
    account.behaviour["A"] = raises(error)

    with pytest.raises(DeployError) as caught:
        run(template(thing("A")))
    assert said in str(caught.value)


def test_what_a_reference_becomes_is_checked_before_it_is_sent(account: Account) -> None:
    with pytest.raises(DefinitionError) as caught:
        run(template(thing("A"), thing("B", kind="Test::Strict", Name="b", Count={"Ref": "A"})))

    assert str(caught.value) == (
        "serverless.yml:11: B (Test::Strict): Count must be a whole number, not “ref-A”. "
        "Created or changed before that: A. They stay; the next run continues from there."
    )
    assert account.order == ["A"]


def test_what_the_apis_own_model_refuses_is_wrong_input(account: Account) -> None:
    report = "Unknown parameter in input: “Colour”\nInvalid type for parameter Size"
    account.behaviour["A"] = raises(ParamValidationError(report=report))

    with pytest.raises(DefinitionError) as caught:
        run(template(thing("A")))

    assert str(caught.value) == (
        "serverless.yml:10: A (Test::Thing): Unknown parameter in input: “Colour”; "
        "Invalid type for parameter Size. Nothing was created or changed."
    )


def test_a_mistake_in_the_program_is_not_dressed_up(account: Account) -> None:
    account.behaviour["A"] = raises(AttributeError("no such method"))

    with pytest.raises(AttributeError, match="no such method"):
        run(template(thing("A")))


def test_an_unknown_attribute_names_the_line_and_what_was_created(account: Account) -> None:
    with pytest.raises(DefinitionError) as caught:
        run(template(thing("A"), thing("B", Uses={"Fn::GetAtt": ["A", "Url"]})))

    assert str(caught.value).startswith(
        "serverless.yml:11: B (Test::Thing): A has no attribute Url. It has: Arn."
    )
    assert "Created or changed before that: A." in str(caught.value)


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (thing("X", kind="AWS::Thing::Other"), "X (AWS::Thing::Other): the resource type is not "
                                               "supported here. Supported: Test::…."),
        (thing("X", kind="Test::New"), "X (Test::New): the resource type is not supported here. "
                                       "Supported: Test::Strict, Test::Thing."),
        (thing("X", Colour="red"), "X (Test::Thing): the property Colour is not supported here. "
                                   "Supported: Name, Uses."),
        (thing("X", kind="Test::Strict"), "X (Test::Strict): the property Name is required."),
        (thing("X", Uses={"Ref": "Nowhere"}), "refers to Nowhere, which is not defined"),
        (thing("X", "X"), "refers to itself: X → X"),
    ],
)  # fmt: skip
def test_nothing_is_created_when_anything_is_wrong(
    account: Account, resource: Resource, said: str
) -> None:
    made = template(thing("A"), resource)

    with pytest.raises(DefinitionError, match=r"^serverless\.yml:11:1: ") as caught:
        run(made)

    assert said in str(caught.value)
    assert not account.order
    with pytest.raises(DefinitionError):
        check(made)


@pytest.mark.parametrize("workers", [1, 12])
def test_what_the_longest_chain_waits_for_comes_first(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resource(name: str, *needs: str, kind: str = "AWS::SQS::Queue") -> Resource:
        return Resource(name, kind, {}, ("resources", name), needs)

    resources = [
        resource("Alone"),
        resource("Short"),
        resource("Last", "Short", "Middle"),
        resource("Long"),
        resource("Middle", "Long"),
        resource("Layer", kind="AWS::Lambda::LayerVersion"),
    ]
    monkeypatch.setattr(engine, "_WORKERS", workers)
    begun: list[str] = []
    created: dict[str, Physical] = {}

    def work(one: Resource, known: dict[str, Physical]) -> str:
        assert needs(one) <= known.keys()
        begun.append(one.logical_id)
        return one.logical_id

    engine.in_order(resources, work, lambda one, made: Physical(made), created)

    assert created.keys() == {one.logical_id for one in resources}
    if workers == 1:
        assert begun == ["Layer", "Long", "Short", "Middle", "Alone", "Last"]

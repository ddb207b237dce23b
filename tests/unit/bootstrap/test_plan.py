"""`make plan`: what a run would do, said beforehand, and the run then does it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from test_interrupted import Account

from bootstrap.definition.document import Document
from bootstrap.deploy import Deployment, apply, plan
from bootstrap.errors import DeployError
from bootstrap.looking import Answers, Looking, Unknown, knows_all
from bootstrap.plan import Action, Plan, Step
from bootstrap.removal import can_delete
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings
from bootstrap.template import Resource, Template


def resource(name: str, kind: str, **properties: Any) -> Resource:
    return Resource(name, kind, properties, (name,), ())


def table(key: str = "id", name: str = "items", **more: Any) -> Resource:
    return resource(
        "Items",
        "AWS::DynamoDB::Table",
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        **more,
    )


QUEUE = resource("Orders", "AWS::SQS::Queue", QueueName="orders", VisibilityTimeout=60)
POLICY = resource(
    "OrdersPolicy",
    "AWS::SQS::QueuePolicy",
    Queues=[{"Ref": "Orders"}],
    PolicyDocument={"Statement": [{"Resource": {"Fn::GetAtt": ["Orders", "Arn"]}}]},
)
TOPIC = resource("News", "AWS::SNS::Topic", TopicName="news")
BUS = resource("Bus", "AWS::Events::EventBus", Name="bus")


@pytest.fixture
def context() -> Iterator[Context]:
    with mock_aws(config={"lambda": {"use_docker": False}, "core": {"service_whitelist": None}}):
        yield Account(Settings(4566, 8080, "us-east-1"), "shop")


def template(*resources: Resource) -> Template:
    lines: dict[tuple[str | int, ...], int] = {
        one.path: number for number, one in enumerate(resources, 10)
    }
    made = Template("shop", "us-east-1", "test", Document(Path("serverless.yml"), {}, lines))
    for one in resources:
        made.add(one)
    return made


def run(context: Context, *resources: Resource, prune: bool = False) -> Deployment:
    return apply(template(*resources), context, lambda one, outcome: None, prune=prune)


def planned(context: Context, *resources: Resource, prune: bool = False) -> Plan:
    return plan(template(*resources), context, prune=prune)


def actions(made: Plan) -> dict[str, Action]:
    return {s.logical_id: s.action for s in made.everything if s.action is not Action.NONE}


def only(made: Plan) -> Step:
    (step,) = (step for step in made.everything if step.action is not Action.NONE)
    return step


def test_everything_is_created_and_then_nothing(context: Context) -> None:
    everything = (QUEUE, POLICY, TOPIC, BUS, table())

    before = planned(context, *everything)
    assert actions(before) == dict.fromkeys(
        ("Orders", "OrdersPolicy", "News", "Bus", "Items"), Action.CREATE
    )
    assert before.summary() == "5 to create"
    deployment = run(context, *everything)
    assert set(deployment.outcomes.values()) == {Outcome.CREATED}

    after = planned(context, *everything)
    assert after.changes_nothing
    assert after.summary() == "5 without a change"


def test_what_was_changed_by_hand_is_shown_with_both_values(context: Context) -> None:
    url = run(context, QUEUE).created["Orders"].ref
    context.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "9"})

    step = only(planned(context, QUEUE))

    assert step.action is Action.CHANGE
    assert step.details == ("Attributes.VisibilityTimeout: 9 → 60",)
    assert step.line == 10
    assert run(context, QUEUE).outcomes == {"Orders": Outcome.CHANGED}


def test_what_was_deleted_by_hand_is_created_with_what_belongs_to_it(context: Context) -> None:
    url = run(context, QUEUE, POLICY, TOPIC).created["Orders"].ref
    context.client("sqs").delete_queue(QueueUrl=url)

    assert actions(planned(context, QUEUE, POLICY, TOPIC))["Orders"] is Action.CREATE
    outcomes = run(context, QUEUE, POLICY, TOPIC).outcomes
    assert outcomes == {
        "Orders": Outcome.CREATED,
        "OrdersPolicy": Outcome.CREATED,
        "News": Outcome.UNCHANGED,
    }


def test_a_key_that_cannot_be_changed_is_a_replacement_and_says_what_is_lost(
    context: Context,
) -> None:
    run(context, table())
    put = context.client("dynamodb").put_item
    for identity in "ab":
        put(TableName="items", Item={"id": {"S": identity}})

    step = only(planned(context, table("pk")))

    assert (step.action, step.lost) == (Action.REPLACE, "2 items")
    assert step.refused == "make up replaces it only with PRUNE=all"
    assert "id (HASH)" in step.details[0]
    with pytest.raises(DeployError, match=r"which loses 2 items: make up PRUNE=all"):
        run(context, table("pk"))
    assert context.client("dynamodb").scan(TableName="items")["Count"] == 2

    assert run(context, table("pk"), prune=True).outcomes == {"Items": Outcome.REPLACED}
    assert planned(context, table("pk")).changes_nothing


def test_an_empty_table_is_replaced_at_once(context: Context) -> None:
    run(context, table())

    step = only(planned(context, table("pk")))
    assert (step.action, step.lost, step.refused) == (Action.REPLACE, "", "")
    assert run(context, table("pk")).outcomes == {"Items": Outcome.REPLACED}


def test_what_is_no_longer_described_goes_unless_it_may_hold_data(context: Context) -> None:
    url = run(context, QUEUE, TOPIC, BUS).created["Orders"].ref
    context.client("sqs").send_message(QueueUrl=url, MessageBody="x")

    made = planned(context, TOPIC)
    assert actions(made) == {"Bus": Action.DELETE, "Orders": Action.KEEP}
    assert not made.changes_nothing
    said = sorted(map(str, run(context, TOPIC).leftovers))
    assert said[0].startswith("kept Orders (AWS::SQS::Queue): no longer described; delete it with")
    assert "make up PRUNE=all" in said[0]
    assert said[1] == "removed Bus (AWS::Events::EventBus): it is no longer described"
    assert planned(context, TOPIC).changes_nothing

    step = only(planned(context, TOPIC, prune=True))
    assert (step.action, step.lost) == (Action.DELETE, "1 message")
    (leftover,) = run(context, TOPIC, prune=True).leftovers
    assert str(leftover).endswith("it is no longer described, and 1 message with it")
    assert context.client("sqs").list_queues().get("QueueUrls") is None


def test_another_name_is_a_replacement_and_data_of_the_old_one_stays(context: Context) -> None:
    run(context, table())
    context.client("dynamodb").put_item(TableName="items", Item={"id": {"S": "a"}})
    renamed = table(name="things")

    step = only(planned(context, renamed))
    assert step.action is Action.REPLACE
    assert "items, stays; make up PRUNE=all deletes it" in step.details[0]
    (leftover,) = run(context, renamed).leftovers
    assert str(leftover).startswith("kept the old Items")
    assert sorted(context.client("dynamodb").list_tables()["TableNames"]) == ["items", "things"]

    run(context, renamed, prune=True)
    assert context.client("dynamodb").list_tables()["TableNames"] == ["things"]


def test_another_logical_id_of_the_same_thing_is_no_change(context: Context) -> None:
    run(context, QUEUE)

    assert planned(context, replace(QUEUE, logical_id="Renamed")).changes_nothing
    assert run(context, replace(QUEUE, logical_id="Renamed")).leftovers == []


def test_a_failure_while_something_is_removed_forgets_nothing(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(context, QUEUE, BUS)
    context.client("events").put_rule(Name="by-hand", EventBusName="bus", EventPattern="{}")

    (leftover,) = run(context, QUEUE).leftovers  # a bus with rules cannot be deleted

    if "kept Bus" in str(leftover):  # as AWS has it
        assert "AWS does not delete it" in str(leftover)
        assert len(run(context, QUEUE).leftovers) == 1


def test_a_plan_as_json(context: Context) -> None:
    made = json.loads(planned(context, QUEUE).as_json(template(QUEUE)))

    assert (made["create"], made["none"], made["service"]) == (1, 0, "shop")
    assert made["steps"] == [
        {
            "action": "create",
            "logicalId": "Orders",
            "type": "AWS::SQS::Queue",
            "name": "orders",
            "details": [],
            "lost": "",
            "refused": "",
            "line": 10,
        }
    ]


def test_a_bucket_goes_with_all_its_versions(context: Context) -> None:
    bucket = resource(
        "Files",
        "AWS::S3::Bucket",
        BucketName="files-of-shop",
        VersioningConfiguration={"Status": "Enabled"},
    )
    run(context, bucket, TOPIC)
    s3 = context.client("s3")
    for body in (b"1", b"2"):
        s3.put_object(Bucket="files-of-shop", Key="a", Body=body)
    s3.delete_object(Bucket="files-of-shop", Key="a")

    assert only(planned(context, TOPIC, prune=True)).lost == "2 objects"
    run(context, TOPIC, prune=True)
    assert s3.list_buckets()["Buckets"] == []


@pytest.mark.parametrize("name", [name for name, kind in RESOURCE_TYPES.items() if kind.exists])
def test_what_stays_can_be_deleted(name: str) -> None:
    kind = RESOURCE_TYPES[name]
    assert can_delete(kind)
    assert kind.delete_with


def test_what_is_unknown_stays_unknown() -> None:
    unknown = Unknown()

    assert not knows_all({"a": [f"arn:{unknown['Api']['Id']}:x"]})
    assert not knows_all(unknown.partition("/")[2])
    assert dict(**unknown) == {}
    assert not unknown["FailedEntryCount"]
    assert list(unknown["Items"]) == []


def test_looking_never_writes(context: Context) -> None:
    view = Looking.like(context, Answers())

    view.client("sqs").create_queue(QueueName="q")
    view.client("sqs").tag_queue(QueueUrl="q", Tags={})

    assert [call.operation for call in view.writes] == ["create_queue", "tag_queue"]
    assert context.client("sqs").list_queues().get("QueueUrls") is None


def test_what_two_resources_ask_is_asked_once(context: Context) -> None:
    sqs, answers = context.client("sqs"), Answers()
    url = sqs.create_queue(QueueName="q")["QueueUrl"]

    def attributes() -> dict[str, str]:
        client = Looking.like(context, answers).client("sqs")
        found: dict[str, str] = client.get_queue_attributes(
            QueueUrl=url, AttributeNames=["VisibilityTimeout"]
        )["Attributes"]
        return found

    first = attributes()
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    first["VisibilityTimeout"] = "of the caller"

    assert attributes() == {"VisibilityTimeout": "30"}

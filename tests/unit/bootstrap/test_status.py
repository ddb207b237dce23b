"""The commands that ``up`` prints for trying a trigger fit the trigger, whoever's it is."""

from __future__ import annotations

import pytest
from conftest import FUNCTION, Project, events_of

from bootstrap.commands.status import to_try, triggers
from bootstrap.definition.model import parse_service
from bootstrap.settings import Settings

SETTINGS = Settings(4566, 8080, "us-east-1")


@pytest.mark.parametrize(
    ("events", "command"),
    [
        (
            "- httpApi: POST /orders",
            "-X POST http://localhost:8080/orders -H 'Content-Type: application/json' -d '{}'",
        ),
        ("- httpApi: DELETE /o/{id}", "curl -i -X DELETE http://localhost:8080/o/id"),
        ("- httpApi: GET /files/{path+}", "curl -i http://localhost:8080/files/path"),
        ("- httpApi: '*'", "curl -i http://localhost:8080/"),
        (
            "- eventBridge: {schedule: rate(1 hour)}",
            "make fire-schedule RULE=shop-test-greet-rule-1",
        ),
        ("- eventBridge: {schedule: rate(1 hour), name: x}", "make fire-schedule RULE=x"),
        ("- schedule: rate(1 hour)", "make fire-schedule RULE=shop-GreetEventsRuleSchedule1"),
        (
            "- schedule: {rate: rate(1 hour), method: scheduler}",
            "make fire-schedule RULE=shop-GreetSchedulerSchedule1",
        ),
        ("- cloudwatchLog: /shop", "make fire-log GROUP=/shop MESSAGE='by hand'"),
        (
            "- eventBridge: {pattern: {source: [shop]}}",
            """'[{"Source": "shop", "DetailType": "example", "Detail": "{}"}]'""",
        ),
        (
            "- eventBridge: {pattern: {source: [aws.ec2]}}",
            '"source": "aws.ec2", "account": "000000000000", "time": "2026-01-31T12:00:00Z",'
            ' "region": "us-east-1", "resources": [], "detail": {}}\' /dev/stdout',
        ),
        (
            "- stream: arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026",
            "make fire-table TABLE=orders",
        ),
        (
            """- stream:
                arn: arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026
                filterPatterns: [{dynamodb: {NewImage: {total: {N: [{exists: true}]}}}}]""",
            """make fire-table TABLE=orders ITEM='{"total": {"N": "1"}}'""",
        ),
        (
            "- cognitoUserPool: {pool: my people, trigger: PreSignUp}",
            "make fire-user-pool POOL='my people' TRIGGER=PreSignUp",
        ),
        (
            "- s3: {bucket: papers, rules: [{suffix: .txt}]}",
            "awslocal s3 cp README.md s3://papers/example.txt",
        ),
        (
            "- sqs: arn:aws:sqs:us-east-1:000000000000:orders",
            "--queue-url http://localhost:4566/000000000000/orders --message-body '{}'",
        ),
        (
            """- sqs: {arn: 'arn:aws:sqs:us-east-1:000000000000:orders', filterPatterns: [
                {body: {kind: [order]}}]}""",
            """orders --message-body '{"kind": "order"}'""",
        ),
        (
            "- sqs: arn:aws:sqs:us-east-1:000000000000:orders.fifo",
            ' --message-group-id fire --message-deduplication-id "$(date +%s%N)"',
        ),
    ],
)
def test_a_foreign_function_gets_a_command_of_its_own(
    project: Project, events: str, command: str
) -> None:
    service = parse_service(project.document(FUNCTION + events_of(events)))

    ((name, _, shown),) = triggers(service, SETTINGS)

    assert name == "shop-test-greet"
    assert shown.endswith(command)


def test_a_route_with_an_authorizer_says_what_is_missing(project: Project) -> None:
    settings = "  httpApi:\n    authorizers:\n      members: {type: request, functionName: greet,"
    settings += " identitySource: $request.header.x-key}\n"
    text = FUNCTION.replace("functions:\n", f"{settings}functions:\n")
    events = "- httpApi: {method: GET, path: /a, authorizer: members}"
    service = parse_service(project.document(text + events_of(events)))

    ((_, _, shown),) = triggers(service, SETTINGS)

    assert shown == "curl -i -H 'x-key: …' http://localhost:8080/a"


@pytest.mark.parametrize(("count", "shown"), [(4, 4), (5, 1)])
def test_one_command_stands_for_many_of_a_kind(project: Project, count: int, shown: int) -> None:
    groups = "\n".join(f"- cloudwatchLog: /shop/{number}" for number in range(count))
    events = f"{groups}\n- httpApi: GET /a"
    service = parse_service(project.document(FUNCTION + events_of(events)))

    commands = to_try(service, SETTINGS)

    assert len(commands) == shown + 1
    assert ("and 4 more: make status" in commands[0][1]) == (shown == 1)

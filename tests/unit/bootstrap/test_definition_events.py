"""Triggers: the resources each event makes, and what is refused. osls compares whole files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import FUNCTION, PROVIDER, Project, events_of

from bootstrap.errors import DefinitionError
from bootstrap.template import Template, needs

type Compile = Callable[[str], Template]
type Refuse = Callable[[str], DefinitionError]


def of_type(template: Template, kind: str) -> list[dict[str, Any]]:
    return [r.properties for r in template.resources.values() if r.type == kind]


# --- Any event


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("- kafka: {topic: x}", "the event type “kafka” is not supported here. Supported: "
                                "alb, cloudFront, cloudwatchEvent, cloudwatchLog, cognitoUserPool, "
                                "eventBridge, http, httpApi, s3, schedule, sns, sqs, stream."),
        ("- {s3: a-bucket, sqs: x}", "must have exactly one event type; it has s3, sqs"),
        ("- {}", "must have exactly one event type; it has none"),
        ("- s3", "functions.greet.events.0.s3: input should be a valid dictionary"),
        ("- s3:", "functions.greet.events.0.s3: input should be a valid dictionary"),
        ("- sqs: 3", "functions.greet.events.0.sqs: input should be a valid dictionary"),
        ("- httpApi: [GET, /]", "functions.greet.events.0.httpApi: input should be a valid dict"),
    ],
)  # fmt: skip  # one case a line
def test_what_is_no_event(refused_events: Refuse, event: str, said: str) -> None:
    error = refused_events(event)

    assert said in error.message
    assert error.line == 10


# --- httpApi


@pytest.mark.parametrize(
    ("event", "route_key", "logical_id"),
    [
        ("GET /brand/{brandId}", "GET /brand/{brandId}", "HttpApiRouteGetBrandBrandidVar"),
        ("get /", "GET /", "HttpApiRouteGet"),
        ("'* /a'", "ANY /a", "HttpApiRouteAnyA"),
        ("any /a", "ANY /a", "HttpApiRouteAnyA"),
        ("'*'", "$default", "HttpApiRouteDefault"),
        ("{method: PUT, path: '/{proxy+}'}", "PUT /{proxy+}", "HttpApiRoutePutProxyVar"),
        ("{path: /a-b_c}", "ANY /a-b_c", "HttpApiRouteAnyADashbc"),
        ("POST   /spaced", "POST /spaced", "HttpApiRoutePostSpaced"),
    ],
)
def test_routes(with_events: Compile, event: str, route_key: str, logical_id: str) -> None:
    template = with_events(f"- httpApi: {event}")

    assert template.resources[logical_id].properties["RouteKey"] == route_key


@pytest.mark.parametrize(
    "event", ["GET", "FETCH /a", "GET brand", "GET /a b", "''", "/a", "{method: GET, path: a}"]
)
def test_what_is_no_route(refused_events: Refuse, event: str) -> None:
    error = refused_events(f"- httpApi: {event}")

    assert "is not a route. Write for example GET /brand/{brandId}" in error.message
    assert error.line == 10


def test_two_routes_of_one_function_share_an_integration_and_a_permission(
    with_events: Compile,
) -> None:
    template = with_events("- httpApi: GET /a\n- httpApi: GET /b")

    assert len(of_type(template, "AWS::ApiGatewayV2::Integration")) == 1
    assert len(of_type(template, "AWS::Lambda::Permission")) == 1
    assert len(of_type(template, "AWS::ApiGatewayV2::Route")) == 2


def test_the_same_route_twice(refused_events: Refuse) -> None:
    error = refused_events("- httpApi: GET /a/{x}\n- httpApi: get /a/{x}")

    assert "both would make HttpApiRouteGetAXVar" in error.message
    assert error.line == 11


def test_cors(project: Project) -> None:
    text = FUNCTION.replace(
        "  stage: test\n",
        "  stage: test\n  httpApi:\n    cors:\n      allowedOrigins: ['https://x.example']\n"
        "      allowCredentials: true\n      maxAge: 60\n",
    )

    (api,) = of_type(
        project.compile(text + "    events:\n      - httpApi: GET /\n"), "AWS::ApiGatewayV2::Api"
    )

    cors = api["CorsConfiguration"]
    assert cors.pop("AllowHeaders")[:2] == ["Content-Type", "X-Amz-Date"]
    assert cors == {
        "AllowOrigins": ["https://x.example"],
        "AllowMethods": ["OPTIONS", "GET"],
        "AllowCredentials": True,
        "MaxAge": 60,
    }


@pytest.mark.parametrize(
    ("routes", "methods"),
    [
        (["GET /", "post /a"], ["OPTIONS", "GET", "POST"]),
        (["GET /", "'*'"], ["OPTIONS", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
        (["ANY /"], ["OPTIONS", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
    ],
    ids=str,
)
def test_cors_allows_the_methods_of_the_routes(
    project: Project, routes: list[str], methods: list[str]
) -> None:
    text = FUNCTION.replace("  stage: test\n", "  stage: test\n  httpApi: { cors: true }\n")
    events = "".join(f"      - httpApi: {route}\n" for route in routes)

    (api,) = of_type(project.compile(f"{text}    events:\n{events}"), "AWS::ApiGatewayV2::Api")

    assert api["CorsConfiguration"]["AllowMethods"] == methods


# --- s3


def test_two_events_of_one_bucket_become_one_bucket(with_events: Compile) -> None:
    template = with_events(
        "- s3: {bucket: a-bucket, rules: [{prefix: a/}, {suffix: .png}]}\n"
        "- s3: {bucket: a-bucket, event: 's3:ObjectRemoved:*'}"
    )

    (bucket,) = of_type(template, "AWS::S3::Bucket")
    greet = {"Fn::GetAtt": ["GreetLambdaFunction", "Arn"]}
    rules = [{"Name": "prefix", "Value": "a/"}, {"Name": "suffix", "Value": ".png"}]
    assert bucket["NotificationConfiguration"]["LambdaConfigurations"] == [
        {
            "Event": "s3:ObjectCreated:*",
            "Function": greet,
            "Filter": {"S3Key": {"Rules": rules}},
        },
        {"Event": "s3:ObjectRemoved:*", "Function": greet},
    ]
    assert len(of_type(template, "AWS::Lambda::Permission")) == 1


def test_the_bucket_comes_after_the_permission(with_events: Compile) -> None:
    """S3 checks, when notifications are set, whether it may invoke the function."""
    bucket = with_events("- s3: a-bucket").resources["S3BucketAbucket"]

    assert "GreetLambdaPermissionAbucketS3" in needs(bucket)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("[{prefix: a/}, {prefix: b/}]", "S3 takes at most one prefix per event"),
        ("[{suffix: a}, {suffix: b}]", "S3 takes at most one suffix per event"),
        ("[{infix: a}]", "s3.rules.0.infix"),
        ("prefix", "s3.rules: input should be a valid list"),
    ],
)
def test_rules_that_s3_does_not_take(refused_events: Refuse, rules: str, said: str) -> None:
    error = refused_events(f"- s3:\n    bucket: a-bucket\n    rules: {rules}")

    assert said in error.message
    assert error.line == 12


def test_an_event_that_s3_does_not_have(refused_events: Refuse) -> None:
    error = refused_events("- s3:\n    bucket: a-bucket\n    event: s3:ObjectMade:*")

    assert "s3:ObjectMade:*" in error.message
    assert "s3:ObjectCreated:*" in error.message
    assert error.line == 12


# --- sqs


def test_a_queue_by_its_arn(with_events: Compile) -> None:
    template = with_events("- sqs: arn:aws:sqs:us-east-1:000000000000:orders")

    mapping = template.resources["GreetEventSourceMappingSQSOrders"].properties
    assert mapping == {
        "BatchSize": 10,
        "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:orders",
        "FunctionName": {"Fn::GetAtt": ["GreetLambdaFunction", "Arn"]},
        "Enabled": True,
    }


def test_the_role_may_read_every_queue(with_events: Compile) -> None:
    template = with_events("- sqs: arn:aws:sqs:us-east-1:1:one\n- sqs: {arn: arn:aws:sqs:x:1:two}")

    statements = template.resources["IamRoleLambdaExecution"].properties["Policies"][0][
        "PolicyDocument"
    ]["Statement"]
    (reads,) = [s for s in statements if "sqs:ReceiveMessage" in s["Action"]]
    assert reads["Resource"] == ["arn:aws:sqs:us-east-1:1:one", "arn:aws:sqs:x:1:two"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{arn: x, batchSize: 0}", "batchSize: input should be greater than or equal to 1"),
        ("{arn: x, batchSize: 10001}", "batchSize: input should be less than or equal to 10000"),
        ("{arn: x, batchSize: 11}", "a batchSize over 10 needs a maximumBatchingWindow"),
        ("{arn: x, maximumBatchingWindow: 301}", "maximumBatchingWindow: input should be less"),
        ("{arn: x, maximumConcurrency: 1}", "maximumConcurrency: input should be greater"),
        ("{arn: x, functionResponseType: Report}", "input should be 'ReportBatchItemFailures'"),
        ("{batchSize: 1}", "sqs.arn: is required."),
    ],
)
def test_mappings_that_lambda_refuses(refused_events: Refuse, body: str, said: str) -> None:
    assert said in refused_events(f"- sqs: {body}").message


def test_the_arn_of_a_stream_may_be_joined_of_anything(with_events: Compile) -> None:
    joined = "{'Fn::Join': [':', {'Fn::Split': [':', 'arn:aws:kinesis:us-east-1:1:stream/a']}]}"

    template = with_events(f"- stream: {{type: kinesis, arn: {joined}}}")

    assert "GreetEventSourceMappingKinesisStream" in template.resources


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{type: dynamodb, arn: {Ref: T}, consumer: true}", "a stream of a table has no consumers"),
        ("{type: kinesis, arn: {Ref: S}, consumer: mine}", "“mine” is no ARN."),
        ("{type: kinesis, arn: {Ref: S}, consumer: false}", "consumer"),
    ],
)
def test_consumers_that_lambda_refuses(refused_events: Refuse, body: str, said: str) -> None:
    assert said in refused_events(f"- stream: {body}").message


def test_a_mapping_reads_the_consumer_that_it_names(with_events: Compile) -> None:
    stream = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
    mine = f"{stream}/consumer/mine:1700000000"
    template = with_events(
        f"- stream: {{arn: '{stream}', consumer: true}}\n"
        f"- stream: {{arn: '{stream}2', consumer: '{mine}'}}"
    ).resources

    consumer = template["GreetclicksConsumerStreamConsumer"]
    assert consumer.properties == {"ConsumerName": "greetclicksConsumer", "StreamARN": stream}
    sources = [
        one.properties["EventSourceArn"]
        for one in template.values()
        if one.type == "AWS::Lambda::EventSourceMapping"
    ]
    assert sources == [{"Ref": "GreetclicksConsumerStreamConsumer"}, mine]
    policy = template["IamRoleLambdaExecution"].properties["Policies"][0]["PolicyDocument"]
    (subscribes,) = [s for s in policy["Statement"] if "kinesis:SubscribeToShard" in s["Action"]]
    assert subscribes["Resource"] == sources
    (reads,) = [s for s in policy["Statement"] if "kinesis:ListShards" in s["Action"]]
    assert reads["Resource"] == [stream, f"{stream}2"]


def test_filter_patterns_are_json(with_events: Compile) -> None:
    template = with_events("- sqs: {arn: x, filterPatterns: [{body: {kind: [a, null, 1]}}]}")

    (mapping,) = of_type(template, "AWS::Lambda::EventSourceMapping")
    assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": '{"body":{"kind":["a",null,1]}}'}]}


# --- eventBridge


def test_a_schedule_with_retries_and_a_dead_letter_queue(with_events: Compile) -> None:
    template = with_events(
        """
        - eventBridge:
            name: hourly
            schedule: rate(1 hour)
            enabled: false
            input: {job: one}
            retryPolicy: {maximumRetryAttempts: 0}
            deadLetterQueueArn: arn:aws:sqs:us-east-1:000000000000:dlq
        """
    )

    assert of_type(template, "AWS::Events::Rule") == [
        {
            "Name": "hourly",
            "State": "DISABLED",
            "ScheduleExpression": "rate(1 hour)",
            "Targets": [
                {
                    "Arn": {"Fn::GetAtt": ["GreetLambdaFunction", "Arn"]},
                    "Id": "hourly-target",
                    "Input": {"job": "one"},
                    "RetryPolicy": {"MaximumRetryAttempts": 0},
                    "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:dlq"},
                }
            ],
        }
    ]


def test_a_named_bus_is_made_once_and_before_its_rules(with_events: Compile) -> None:
    template = with_events(
        "- eventBridge: {eventBus: orders, pattern: {source: [a]}}\n"
        "- eventBridge: {eventBus: orders, pattern: {source: [b]}}"
    )

    assert of_type(template, "AWS::Events::EventBus") == [{"Name": "orders"}]
    rules = [r for r in template.resources.values() if r.type == "AWS::Events::Rule"]
    assert all("OrdersEventBridgeEventBus" in needs(rule) for rule in rules)


@pytest.mark.parametrize(
    ("bus", "name"),
    [
        ("default", None),
        ("arn:aws:events:us-east-1:000000000000:event-bus/orders", "orders"),
        ("arn:aws:events:us-east-1:000000000000:event-bus/default", None),
        ("!Ref Orders", {"Ref": "Orders"}),
    ],
)
def test_buses_that_exist_are_not_made(with_events: Compile, bus: str, name: object) -> None:
    template = with_events(f"- eventBridge: {{eventBus: {bus}, pattern: {{source: [a]}}}}")

    (rule,) = of_type(template, "AWS::Events::Rule")
    assert rule.get("EventBusName") == name
    assert not of_type(template, "AWS::Events::EventBus")


def test_names_beyond_64_characters_are_cut_and_stay_apart(project: Project) -> None:
    long = "a" * 60
    template = project.compile(
        PROVIDER
        + "".join(
            f"functions:\n  one:\n    name: {long}\n    handler: app.handler\n    events:\n"
            "      - eventBridge: {schedule: rate(1 day)}\n"
            "      - eventBridge: {schedule: rate(2 days)}\n"
        )
    )

    rules = of_type(template, "AWS::Events::Rule")
    assert len({rule["Name"] for rule in rules}) == 2
    assert all(len(rule["Name"]) <= 64 for rule in rules)
    assert all(len(rule["Targets"][0]["Id"]) <= 64 for rule in rules)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{}", "needs a pattern, a schedule, or both"),
        ("{schedule: rate(1 days)}", "the schedule “rate(1 days)” needs the unit “day” with 1"),
        ("{schedule: rate(1 day), eventBus: x}", "schedules run on the default bus only"),
        ("{schedule: rate(1 day), input: {a: 1}, inputPath: $.x}", "use one of input, inputPath"),
        ("{schedule: rate(1 day), retryPolicy: {maximumRetryAttempts: 186}}", "less than or equal "
                                                                            "to 185"),
        ("{schedule: rate(1 day), retryPolicy: {maximumEventAge: 59}}", "equal to 60"),
        ("{schedule: rate(1 day), name: a b}", "name: string should match pattern"),
        ("{pattern: {}}", "pattern"),
        ("{schedule: rate(1 day), inputTransformer: {inputPathsMap: {}}}", "inputTemplate: is"),
    ],
)  # fmt: skip
def test_rules_that_eventbridge_refuses(refused_events: Refuse, body: str, said: str) -> None:
    error = refused_events(f"- eventBridge: {body}")

    assert said in error.message
    assert error.line == 10


# --- Authorizers of HTTP APIs

WITH_AUTHORIZER = FUNCTION.replace(
    "functions:",
    """\
  httpApi:
    authorizers:
      members: {SETTINGS}
functions:""",
)
JWT = "{identitySource: $request.header.Authorization, issuerUrl: https://i.example, audience: web}"


def test_a_route_names_an_authorizer_of_the_provider(refused_events: Refuse) -> None:
    error = refused_events("- httpApi: { method: get, path: /x, authorizer: nobody }")

    said = "there is no authorizer “nobody”. Authorizers of provider.httpApi: none."
    assert said in error.message
    assert error.line == 10


def test_a_protected_route(project: Project) -> None:
    route = "- httpApi: { method: get, path: /x, authorizer: { name: members, scopes: read } }"
    text = WITH_AUTHORIZER.replace("{SETTINGS}", JWT) + events_of(route)

    template = project.compile(text)

    (made,) = of_type(template, "AWS::ApiGatewayV2::Route")
    assert made["AuthorizationType"] == "JWT"
    assert made["AuthorizationScopes"] == ["read"]
    assert made["AuthorizerId"] == {"Ref": "HttpApiAuthorizerMembers"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{issuerUrl: https://i.example, audience: web}", "needs identitySource, issuerUrl and"),
        ("{type: request}", "needs either functionName or functionArn"),
        ("{type: request, functionName: nobody}", "no function nobody"),
        (
            "{type: request, functionName: greet, resultTtlInSeconds: 5}",
            "resultTtlInSeconds needs identitySource",
        ),
    ],
)
def test_an_authorizer_that_cannot_work(project: Project, settings: str, said: str) -> None:
    text = WITH_AUTHORIZER.replace("{SETTINGS}", settings) + events_of("- httpApi: GET /x")

    assert said in project.refused(text).message


# --- schedule


def test_a_schedule_is_a_rule_or_a_schedule_of_the_scheduler(
    with_events: Callable[[str], Template],
) -> None:
    template = with_events(
        """\
- schedule: rate(1 hour)
- schedule: {method: scheduler, rate: [rate(2 hours), rate(3 hours)], timezone: Europe/Berlin}
- schedule: {rate: rate(4 hours), name: nightly}
"""
    )
    kinds = {name: resource.type for name, resource in template.resources.items()}

    assert [name for name, kind in kinds.items() if kind == "AWS::Events::Rule"] == [
        "GreetEventsRuleSchedule1",
        "GreetEventsRuleSchedule4",
    ]
    assert [name for name, kind in kinds.items() if kind == "AWS::Scheduler::Schedule"] == [
        "GreetSchedulerSchedule2",
        "GreetSchedulerSchedule3",
    ]
    role = template.resources["IamRoleLambdaExecution"].properties
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"]["Service"] == ["lambda.amazonaws.com", "scheduler.amazonaws.com"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("{rate: rate(1 hours)}", "rate(1 hour)"),
        ("every hour", "must be rate(…) or cron(…)"),
        ("{rate: []}", "at least 1 item"),
        ("{}", "is required"),
        ("{rate: [rate(1 day), rate(2 days)], name: x}", "several rates cannot share one name"),
        ("{rate: rate(1 day), timezone: UTC}", "timezone is for method: scheduler only"),
        ("{rate: rate(1 day), groupName: g}", "groupName is for method: scheduler only"),
        ("{rate: rate(1 day), method: scheduler, inputPath: $.a}", "inputPath is for method: "),
        ("{rate: rate(1 day), input: {body: x}}", "body must be JSON, and alone"),
        ("{rate: rate(1 day), method: cron}", "'eventBus' or 'scheduler'"),
    ],
)
def test_a_schedule_that_cannot_be(
    refused_events: Callable[[str], DefinitionError], event: str, said: str
) -> None:
    assert said in refused_events(f"- schedule: {event}").message


# --- cloudwatchLog


def test_a_log_group_and_its_filters(with_events: Callable[[str], Template]) -> None:
    template = with_events(
        """\
- cloudwatchLog: /aws/lambda/shop-test-greet
- cloudwatchLog: {logGroup: /aws/lambda/shop, filter: '{ $.level = "ERROR" }'}
"""
    )

    kind = "AWS::Logs::SubscriptionFilter"
    first, second = (one for one in template.resources.values() if one.type == kind)
    assert first.properties["FilterPattern"] == ""
    assert second.properties["FilterPattern"] == '{ $.level = "ERROR" }'
    assert "GreetLogGroup" in first.depends_on  # it is made here, and must be there first
    permission = template.resources[first.depends_on[0]].properties
    assert permission["SourceArn"]["Fn::Join"][1][-2] == "/aws/lambda/shop*"


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ("- cloudwatchLog: {logGroup: 'no name!'}", "is no name of a log group"),
        ("- cloudwatchLog: {filter: x}", "is required"),
        ("- cloudwatchLog: {logGroup: /a, other: 1}", "is not supported here"),
        ("- cloudwatchLog: /a\n" * 3, "only 2 subscription filters"),
    ],
)
def test_a_log_event_that_cannot_be(refused_events: Refuse, events: str, said: str) -> None:
    assert said in refused_events(events).message

"""``http`` events: what is refused, and what the resources hold beyond `osls package`."""

from __future__ import annotations

import pytest
from conftest import FUNCTION, Project

from bootstrap.commands.status import triggers
from bootstrap.definition.model import parse_service
from bootstrap.settings import Settings


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("http: FETCH /x", "“FETCH /x” is not a method of a REST API"),
        ("http: GET /a b", "“GET /a b” is not a method of a REST API"),
        ("http: {path: x}", "http.method: is required"),
        ("http: {path: x, method: get, integration: http}", "HTTP invokes no function"),
        (
            "http: {path: x, method: get, request: {schemas: {application/json: Order}}}",
            "there is no schema “Order”. Schemas of provider.apiGateway.request: none",
        ),
        ("http: {path: x, method: get, timeoutInMillis: 29001}", "less than or equal to 29000"),
        (
            "http: {path: x, method: get, cors: {allowCredentials: true}}",
            "allowCredentials needs an origin",
        ),
        ("http: {path: x, method: get, authorizer: nobody}", "is no function of this file: greet"),
        (
            "http: {path: x, method: get, authorizer: {type: COGNITO_USER_POOLS, name: p}}",
            "needs name and arn",
        ),
    ],
)
def test_what_is_refused(project: Project, event: str, said: str) -> None:
    error = project.refused(f"{FUNCTION}    events:\n      - {event}\n")

    assert said in str(error), str(error)
    assert error.line == 10


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ("{free: 1}", "usagePlan.free: is not supported here. Supported: quota, throttle."),
        ("[{free: 1}]", "usagePlan.0.free: input should be a valid dictionary"),
        ("[{free: {quota: {limit: 5}}}]", "usagePlan.0.free.quota.period: is required."),
    ],
)
def test_what_is_wrong_with_a_usage_plan_is_said_once(
    project: Project, plan: str, said: str
) -> None:
    text = FUNCTION.replace("  stage: test\n", f"  apiGateway: {{usagePlan: {plan}}}\n")

    (error,) = project.refused(text).errors

    assert f"provider.apiGateway.{said}" in str(error)


def test_a_bare_path_and_one_with_slashes_are_one_resource(project: Project) -> None:
    events = "    events:\n      - http: GET a/b\n      - http: PUT /a/b/\n"

    template = project.compile(FUNCTION + events)

    kinds = [resource.type for resource in template.resources.values()]
    assert kinds.count("AWS::ApiGateway::Resource") == 2
    assert kinds.count("AWS::ApiGateway::Method") == 2
    assert kinds.count("AWS::Lambda::Permission") == 1


def test_how_to_call_what_is_guarded(project: Project) -> None:
    events = """    events:
      - http: {path: signed, method: get, authorizer: aws_iam}
      - http: {path: keyed, method: post, private: true}
      - http: {path: "files/{name+}", method: get, authorizer: greet}
"""
    template = project.compile(FUNCTION + events)

    commands = [
        command
        for _, _, command in triggers(
            parse_service(template.document), Settings.from_environment("us-east-1")
        )
    ]

    assert "--aws-sigv4 aws:amz:us-east-1:execute-api" in commands[0]
    assert "x-api-key" in commands[1]
    assert "-d '{}'" in commands[1]
    assert "Authorization: …" in commands[2]
    assert commands[2].endswith("/files/name")


@pytest.mark.parametrize(
    ("logs", "line"),
    [
        ("true", "requestId: $context.requestId, ip: $context.identity.sourceIp"),
        ("{format: $context.requestId}", "$context.requestId"),
        ("{accessLogging: false}", None),
        ("false", None),
    ],
)
def test_the_stage_logs_where_the_definition_says(
    project: Project, logs: str, line: str | None
) -> None:
    events = "    events:\n      - http: GET a\n"
    text = (FUNCTION + events).replace("provider:\n", f"provider:\n  logs: {{restApi: {logs}}}\n")

    resources = project.compile(text).resources

    properties = resources["ApiGatewayDeployment"].properties
    if line is None:
        assert "StageDescription" not in properties
        assert "ApiGatewayLogGroup" not in resources
        return
    setting = properties["StageDescription"]["AccessLogSetting"]
    assert setting["Format"].startswith(line)
    assert setting["DestinationArn"] == {"Fn::GetAtt": ["ApiGatewayLogGroup", "Arn"]}
    group = resources["ApiGatewayLogGroup"].properties["LogGroupName"]
    assert group.startswith("/aws/api-gateway/")


def test_execution_logs_are_refused(project: Project) -> None:
    logs = "provider:\n  logs: {restApi: {executionLogging: true}}\n"
    error = project.refused(FUNCTION.replace("provider:\n", logs))

    assert "executionLogging" in str(error)

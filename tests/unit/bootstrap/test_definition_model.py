"""Keys that are not supported: the sentence names key, line and supported ones."""

from __future__ import annotations

import pytest
from conftest import FUNCTION, PROVIDER, Project


@pytest.mark.parametrize(
    ("addition", "line", "said"),
    [
        ("plugins: [x]\n", 6, "plugins: is not supported here. Supported: service, framework"),
        ("provider2: x\n", 6, "provider2: is not supported here"),
        ("package:\n  exclude_: [a]\n", 7, "package.exclude_: is not supported here. Supported: "
                                          "individually, patterns, artifact."),
        ("package:\n  patterns: {a: b}\n", 7, "package.patterns: input should be a valid list."),
        ("functions:\n  greet:\n    timeout: 3\n", 7, "functions.greet.handler: is required."),
        ("functions:\n  greet:\n    handler: app.handler\n    timeout: 901\n", 9,
         "functions.greet.timeout: input should be less than or equal to 900 (found 901)."),
        ("functions:\n  greet:\n    handler: app.handler\n    memorySize: 127\n", 9,
         "functions.greet.memorySize: input should be greater than or equal to 128 (found 127)."),
        ("functions:\n  greet:\n    handler: app.handler\n    timeout: three\n", 9,
         "functions.greet.timeout: input should be a valid integer (found 'three')."),
        ("functions:\n  greet:\n    handler: app.handler\n    timout: 3\n", 9,
         "functions.greet.timout: is not supported here. Supported: handler, name"),
        ("functions:\n  greet:\n    handler: app.handler\n    name: a b\n", 9,
         "functions.greet.name: string should match pattern"),
        ("functions:\n  - greet\n", 6, "functions: input should be a valid dictionary."),
        ("functions:\n  greet:\n    handler: app.handler\n    destinations:\n"
         "      onFailure: {type: queue, arn: x}\n", 10,
         "functions.greet.destinations.onFailure.type: input should be 'sqs', 'sns'"),
        ("functions:\n  greet:\n    handler: app.handler\n    maximumRetryAttempts: 3\n", 9,
         "functions.greet.maximumRetryAttempts: input should be less than or equal to 2"),
        ("resources:\n  Resources:\n    Q: queue\n", 8,
         "resources.Resources.Q: input should be a valid dictionary (found 'queue')."),
        ("resources:\n  Transform: x\n", 7,
         "resources.Transform: is not supported here. Supported: Resources, Outputs, extensions."),
        ("layers:\n  deps:\n    name: x\n", 7, "layers.deps.path: is required."),
    ],
)  # fmt: skip  # one case a line, as far as it goes
def test_a_wrong_key_or_value(project: Project, addition: str, line: int, said: str) -> None:
    error = project.refused(PROVIDER + addition)

    assert said in error.message
    assert error.line == line


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("name: aws", "name: azure"), 3, "provider.name: input should be 'aws' (found 'azure')."),
        (("service: shop", "service: 9shop"), 1, "service: string should match pattern"),
        (("service: shop\n", ""), None, "service: is required."),
        (("stage: test", "stages: test"), 4, "provider.stages: is not supported here."),
        (("stage: test", "architecture: arm"), 4, "provider.architecture: input should be"),
        (("stage: test", "iamRoleStatements: []"), 4, "provider.iamRoleStatements: is not"),
        (("stage: test", "httpApi: {payload: '3.0'}"), 4, "provider.httpApi.payload: input"),
        (("stage: test", "s3: {a: {bucketName: x}}"), 4, "provider.s3.a.bucketName: is not "
                                                         "supported here. Supported: name"),
    ],
)  # fmt: skip
def test_a_wrong_provider(
    project: Project, change: tuple[str, str], line: int | None, said: str
) -> None:
    error = project.refused(PROVIDER.replace(*change))

    assert said in error.message
    assert error.line == line


def test_the_first_mistake_of_the_file_is_the_one_that_is_named(project: Project) -> None:
    error = project.refused(
        PROVIDER + "functions:\n  greet:\n    timeout: x\n    handler: 1\nwrong: 1\n"
    )

    assert (error.line, error.message.split(":")[0]) == (8, "functions.greet.timeout")


def test_numbers_and_booleans_in_an_environment_are_text(project: Project) -> None:
    template = project.compile(
        FUNCTION + "    environment: {A: 1, B: true, C: 0.5, D: text, E: !Ref AWS::Region}\n"
    )

    function = template.resources["GreetLambdaFunction"]
    assert function.properties["Environment"]["Variables"] == {
        "A": "1",
        "B": "true",
        "C": "0.5",
        "D": "text",
        "E": {"Ref": "AWS::Region"},
    }


def test_what_a_function_sets_wins_over_the_provider(project: Project) -> None:
    provider = PROVIDER + "  environment: {A: provider, B: provider}\n  memorySize: 512\n"
    function = FUNCTION.removeprefix(PROVIDER) + "    environment: {B: function}\n    timeout: 9\n"

    properties = project.compile(provider + function).resources["GreetLambdaFunction"].properties

    assert properties["Environment"]["Variables"] == {"A": "provider", "B": "function"}
    assert (properties["MemorySize"], properties["Timeout"]) == (512, 9)


def test_the_frameworks_defaults(project: Project) -> None:
    properties = project.compile(FUNCTION).resources["GreetLambdaFunction"].properties

    assert properties["FunctionName"] == "shop-test-greet"
    assert (properties["MemorySize"], properties["Timeout"]) == (1024, 6)
    assert "ReservedConcurrentExecutions" not in properties


def test_reserved_concurrency_of_zero_is_kept(project: Project) -> None:
    template = project.compile(FUNCTION + "    reservedConcurrency: 0\n")

    function = template.resources["GreetLambdaFunction"]
    assert function.properties["ReservedConcurrentExecutions"] == 0


def test_retries_of_zero_are_kept(project: Project) -> None:
    template = project.compile(FUNCTION + "    maximumRetryAttempts: 0\n")

    assert template.resources["GreetLambdaEvConf"].properties["MaximumRetryAttempts"] == 0

"""Forms of the framework that other projects use: what is refused, noted, and made of them.

That the rest is made as the framework makes it, ``tests/osls`` shows.
"""

from __future__ import annotations

from typing import Any

import pytest
from conftest import FUNCTION, Project, events_of

from bootstrap.checks import check
from bootstrap.checks.sources import Sources
from bootstrap.checks.view import View
from bootstrap.commands.load import load_template
from bootstrap.errors import DefinitionErrors
from bootstrap.template import Template

BUCKET = """
resources:
  Resources:
    Uploads:
      Type: AWS::S3::Bucket
      Properties: { BucketName: uploads }
"""
PROXY = "http: {path: x, method: get, "


def with_provider(keys: str, events: str) -> str:
    return FUNCTION.replace("functions:", f"{keys}functions:") + events_of(events)


def properties(template: Template, logical_id: str) -> dict[str, Any]:
    return template.resources[logical_id].properties


# -- s3: existing ------------------------------------------------------------------------------


def test_a_bucket_that_is_described_is_made_before_its_notifications(project: Project) -> None:
    events = events_of("- s3: {bucket: uploads, existing: true, rules: [{suffix: .png}]}")

    template = project.compile(FUNCTION + events + BUCKET)

    check(template)
    added = template.resources["GreetCustomS31"]
    order = [resource.logical_id for resource in template.ordered()]
    assert order.index("Uploads") < order.index("GreetCustomS31")
    assert order.index("GreetLambdaFunction") < order.index("GreetCustomS31")
    assert added.properties["BucketConfigs"] == [
        {"Event": "s3:ObjectCreated:*", "Rules": [{"Suffix": ".png"}]}
    ]
    assert "S3BucketUploads" not in template.resources


def test_a_function_of_an_existing_bucket_is_invoked_asynchronously(project: Project) -> None:
    events = events_of("- s3: {bucket: uploads, existing: true}")

    template = project.compile(FUNCTION + events + BUCKET)

    view = View(template, template.resources, Sources(template.document.root))
    assert [one.sender.type for one in view.invocations] == ["Custom::S3"]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (
            "- s3: {bucket: one, existing: true}\n- s3: {bucket: two, existing: true}",
            "one existing bucket only",
        ),
        ("- s3: {bucket: !Ref Uploads}", "add existing: true"),
    ],
)
def test_buckets_that_are_refused(project: Project, events: str, said: str) -> None:
    assert said in str(project.refused(FUNCTION + events_of(events) + BUCKET))


def test_a_bucket_of_the_provider_that_no_event_names_is_noted(project: Project) -> None:
    keys = "  s3:\n    uploads:\n      name: unused-uploads\n"

    template = project.compile(with_provider(keys, "- sns: news"))

    assert "not made, as on AWS" in template.document.notes_as_text()[0]


# -- onError, destinations ---------------------------------------------------------------------


def test_a_dead_letter_queue_is_a_place_for_failures(project: Project) -> None:
    text = FUNCTION + "    onError: arn:aws:sqs:us-east-1:000000000000:failed\n"

    template = project.compile(text + events_of("- sns: news"))

    function = template.resources["GreetLambdaFunction"]
    target = {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:failed"}
    assert function.properties["DeadLetterConfig"] == target
    assert (
        View(template, template.resources, Sources(template.document.root)).on_failure(function)
        == target["TargetArn"]
    )


def test_a_destination_by_the_key_of_a_function_needs_no_circle(project: Project) -> None:
    template = project.compile(FUNCTION + "    destinations: {onFailure: greet}\n")

    assert template.ordered()
    config = properties(template, "GreetLambdaEvConf")["DestinationConfig"]
    assert config == {"OnFailure": {"Destination": {"Fn::GetAtt": ["GreetLambdaFunction", "Arn"]}}}


def test_a_destination_of_an_unknown_function(project: Project) -> None:
    error = project.refused(FUNCTION + "    destinations: {onFailure: nobody}\n")

    assert "NobodyLambdaFunction, which is not defined" in str(error)


def test_a_destination_of_no_known_kind(project: Project) -> None:
    error = project.refused(FUNCTION + "    destinations: {onFailure: 'arn:aws:s3:::bucket'}\n")

    assert "destinations.onFailure" in str(error)


# -- http: templates, shared APIs, groups of keys ----------------------------------------------


def test_what_lambda_proxy_does_not_use_is_noted(project: Project) -> None:
    event = PROXY + "request: {template: {application/json: '{}'}}, response: {headers: {A: b}}}"

    template = project.compile(FUNCTION + events_of(f"- {event}"))

    notes = template.document.notes_as_text()
    assert len(notes) == 2
    assert "request.template: has no effect with lambda-proxy" in notes[0]
    assert "response: has no effect with lambda-proxy" in notes[1]


def test_templates_and_status_codes(project: Project) -> None:
    event = (
        PROXY + "integration: lambda, request: {template: {application/json: own}}, response:"
        " {statusCodes: {'404': {pattern: '.*missing.*', template: gone}}}}"
    )

    template = project.compile(FUNCTION + events_of(f"- {event}"))

    check(template)
    integration = properties(template, "ApiGatewayMethodXGet")["Integration"]
    assert integration["Type"] == "AWS"
    assert integration["RequestTemplates"]["application/json"] == "own"
    form = integration["RequestTemplates"]["application/x-www-form-urlencoded"]
    assert "$input.path('$').split('&')" in form
    assert [
        (one["StatusCode"], one["SelectionPattern"], one["ResponseTemplates"])
        for one in integration["IntegrationResponses"]
    ] == [("200", "", {}), ("404", ".*missing.*", {"application/json": "gone"})]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("{restApiId: abc}", "needs restApiRootResourceId"),
        ("{restApiRootResourceId: abc}", "needs restApiId"),
        ("{apiKeys: [{free: [one]}], usagePlan: [{paid: {}}]}", "no usage plan of the name free"),
    ],
)
def test_settings_of_the_api_that_are_refused(project: Project, keys: str, said: str) -> None:
    text = with_provider(f"  apiGateway: {keys}\n", "- http: GET /x")

    assert said in str(project.refused(text))


def test_a_log_of_a_shared_api_is_refused(project: Project) -> None:
    keys = "  logs: {restApi: true}\n  apiGateway: {restApiId: a, restApiRootResourceId: b}\n"

    error = project.refused(with_provider(keys, "- http: GET /x"))

    assert "Set the log where the API of restApiId is made" in str(error)


# -- extensions --------------------------------------------------------------------------------


def test_an_extension_of_nothing(project: Project) -> None:
    text = FUNCTION + "resources:\n  extensions:\n    GreetLambdaFunktion: {Properties: {}}\n"

    error = project.refused(text)

    assert "there is no such resource" in str(error)
    assert "“GreetLambdaFunction”" in str(error)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("Properties: {MemorySize: {'Fn::GetAtt': [{a: b}, Arn]}}", "Fn::GetAtt takes"),
        ("DependsOn: 5", "DependsOn takes a logical id, or a list of them"),
        ("DependsOn: [{a: b}]", "DependsOn takes a logical id, or a list of them"),
    ],
)
def test_an_extension_that_makes_no_sense(project: Project, change: str, said: str) -> None:
    text = FUNCTION + f"resources:\n  extensions:\n    GreetLambdaFunction: {{{change}}}\n"

    assert said in str(project.refused(text))


def test_an_extension_by_something_else(project: Project) -> None:
    text = FUNCTION + "resources:\n  extensions:\n    GreetLambdaFunction: {Propertys: {}}\n"

    error = project.refused(text)

    assert "Did you mean “Properties”?" in str(error)


def test_parameters_of_another_stage_need_no_value(project: Project) -> None:
    keys = "params:\n  prod: {secret: '${env:ONLY_THERE}'}\n"

    template = load_template(project.write(keys + FUNCTION))

    assert "GreetLambdaFunction" in template.resources


# -- what is elsewhere, or nowhere -------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("- alexaSkill", "Alexa service invokes it, which cannot reach this machine"),
        ("- alexaSkill: amzn1.ask.skill.x", "awslocal lambda invoke calls the function"),
        ("- websocket: $connect", "has no WebSocket APIs"),
        ("- iot: {sql: SELECT * FROM 'a'}", "has no MQTT broker"),
        ("- sqq", "“sqq” is not supported here"),
    ],
)
def test_event_types_that_are_not_run(project: Project, event: str, said: str) -> None:
    assert said in str(project.refused(FUNCTION + events_of(event)))


def test_settings_of_the_api_where_they_once_were(project: Project) -> None:
    keys = "  apiKeys: [first]\n  usagePlan: {quota: {limit: 1, period: DAY}}\n"

    template = load_template(project.write(with_provider(keys, "- http: GET /x")))

    assert properties(template, "ApiGatewayUsagePlan")["Quota"] == {"Limit": 1, "Period": "DAY"}
    assert properties(template, "ApiGatewayApiKey1")["Name"] == "first"
    notes = " ".join(template.document.notes_as_text())
    assert "is read as provider.apiGateway.usagePlan" in notes


def test_parameters_in_the_wrong_place_are_noted(project: Project) -> None:
    event = PROXY + "request: {paths: {id: true}}}"

    template = project.compile(FUNCTION + events_of(f"- {event}"))

    assert "write it as request.parameters.paths" in template.document.notes_as_text()[0]


def test_a_container_image_is_refused_and_nothing_else_of_the_function(project: Project) -> None:
    text = FUNCTION.replace("functions:", "  ecr: {images: {own: {path: ./}}}\nfunctions:")
    text += "  boxed: {image: {name: own}, events: [{sns: news}]}\n"

    with pytest.raises(DefinitionErrors) as caught:
        load_template(project.write(text))

    assert [one.message for one in caught.value.errors] == [
        "functions.boxed.image: container images are not run here: functions run as processes of"
        " this machine. Give the function a handler and a runtime."
    ]


@pytest.mark.parametrize(
    ("runtime", "said"),
    [
        ("ruby3.4", "the runtime ruby3.4 is not run here: python3.*, nodejs*.x and provided* are."),
        ("go1.x", "write provided.al2023"),
    ],
)
def test_runtimes_that_are_not_run(project: Project, runtime: str, said: str) -> None:
    error = project.refused(FUNCTION.replace("python3.13", runtime))

    assert said in str(error)
    assert error.path == ("provider", "runtime")

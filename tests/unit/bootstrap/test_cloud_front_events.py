"""``cloudFront`` events: the distribution that they make together, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import FUNCTION, Project, events_of

from bootstrap.errors import DefinitionError
from bootstrap.template import Template

ONE = "- cloudFront: { eventType: viewer-request, origin: 's3://papers.s3.amazonaws.com/in' }\n"


def config(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = template.resources["CloudFrontDistribution"].properties
    return dict(found["DistributionConfig"])


def test_one_event_makes_the_default_behavior(with_events: Callable[[str], Template]) -> None:
    template = with_events(ONE)
    made = config(template)

    assert made["Origins"] == [
        {
            "DomainName": "papers.s3.amazonaws.com",
            "OriginPath": "/in",
            "S3OriginConfig": {},
            "Id": "s3/papers.s3.amazonaws.com/in",
        }
    ]
    (function,) = made["DefaultCacheBehavior"]["LambdaFunctionAssociations"]
    assert function["LambdaFunctionARN"] == {"Ref": "GreetLambdaVersion"}
    assert "CacheBehaviors" not in made
    assert template.resources["GreetLambdaVersion"].properties["FunctionName"] == {
        "Ref": "GreetLambdaFunction"
    }


def test_a_function_at_the_edge_has_its_limits_and_no_environment(project: Project) -> None:
    text = FUNCTION.replace("provider:\n", "provider:\n  environment: { A: b }\n")
    template = project.compile(text + events_of(ONE))
    function = template.resources["GreetLambdaFunction"].properties
    role = template.resources["IamRoleLambdaExecution"].properties

    assert (function["Timeout"], function["MemorySize"]) == (5, 128)
    assert "Environment" not in function
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert "edgelambda.amazonaws.com" in statement["Principal"]["Service"]


def test_a_path_pattern_leaves_the_default_without_a_function(
    with_events: Callable[[str], Template],
) -> None:
    made = config(
        with_events(
            "- cloudFront: { eventType: origin-request, pathPattern: /a/*, "
            "origin: 'https://example.com' }"
        )
    )
    assert "LambdaFunctionAssociations" not in made["DefaultCacheBehavior"]
    assert [one["PathPattern"] for one in made["CacheBehaviors"]] == ["/a/*"]


OTHER = (
    "- cloudFront: { eventType: viewer-request, pathPattern: /a, origin: 'https://a.example' }\n"
)
REFUSED = {
    "no origin": ("- cloudFront: { eventType: viewer-request }", "origin: is required"),
    "no event type": ("- cloudFront: { origin: 's3://a.example' }", "eventType: is required"),
    "an unknown event type": (
        "- cloudFront: { eventType: viewer, origin: 's3://a.example' }", "eventType: input should"),
    "an unknown key": (
        "- cloudFront: { eventType: viewer-request, origin: 's3://a', path: /x }",
        "path: is not supported here"),
    "an unknown setting of a behavior": (
        "- cloudFront: { eventType: viewer-request, origin: 's3://a', behavior: { TTL: 1 } }",
        "behavior.TTL: is not supported here"),
    "signed URLs": (
        "- cloudFront: { eventType: viewer-request, origin: 's3://a', "
        "behavior: { TrustedSigners: [self] } }",
        "behavior.TrustedSigners: is not supported here"),
    "an origin that is no address": (
        "- cloudFront: { eventType: viewer-request, origin: papers }", "is no address"),
    "an origin of no kind": (
        "- cloudFront: { eventType: viewer-request, origin: { DomainName: a.example } }",
        "either CustomOriginConfig or S3OriginConfig"),
    "an unknown cache policy": (
        "- cloudFront: { eventType: viewer-request, origin: 's3://a', cachePolicy: { name: x } }",
        "there is no provider.cloudFront.cachePolicies.x"),
    "two cache policies": (
        "- cloudFront: { eventType: viewer-request, origin: 's3://a', "
        "cachePolicy: { name: x, id: y } }",
        "either id or name"),
    "a pattern with a space": (
        "- cloudFront: { eventType: viewer-request, origin: 's3://a', pathPattern: 'a b' }",
        "pathPattern: string should match"),
    "one pattern for two origins": (
        OTHER + OTHER.replace("//a.example", "//b.example"), "their origins differ"),
    "no default origin": (
        OTHER + OTHER.replace("/a, ", "/b, ").replace("//a.example", "//b.example"),
        "say isDefaultOrigin of one"),
}  # fmt: skip  # one case a paragraph


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str, refused_events: Callable[[str], DefinitionError]) -> None:
    events, said = REFUSED[case]
    assert said in str(refused_events(events))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("timeout: 6", "may have 5 at most, not 6"),
        ("memorySize: 256", "may have 128 at most, not 256"),
        ("environment: { A: b }", "a function at the edge has none"),
        ("layers: ['arn:aws:lambda:us-east-1:000000000000:layer:a:1']", "has none"),
    ],
)
def test_what_a_function_at_the_edge_may_not_have(
    project: Project, settings: str, said: str
) -> None:
    error = project.refused(FUNCTION + f"    {settings}\n" + events_of(ONE))
    assert said in str(error)


def test_two_functions_at_one_point_are_refused(project: Project) -> None:
    second = "  other:\n    handler: app.handler\n" + events_of(ONE)
    error = project.refused(FUNCTION + events_of(ONE) + second)
    assert "two functions are at the viewer-request" in str(error)


def test_another_region_is_refused(project: Project) -> None:
    text = FUNCTION.replace("provider:\n", "provider:\n  region: eu-west-1\n")
    assert "us-east-1" in str(project.refused(text + events_of(ONE)))

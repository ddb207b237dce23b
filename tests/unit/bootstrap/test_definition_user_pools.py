"""``cognitoUserPool`` events: the pools and permissions that come of them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import FUNCTION, Project, events_of

from bootstrap.errors import DefinitionError
from bootstrap.template import Template

ARN = {"Fn::GetAtt": ["GreetLambdaFunction", "Arn"]}
POOL = """\
resources:
  Resources:
    CognitoUserPoolPeople:
      Type: AWS::Cognito::UserPool
      DependsOn: Key
      Properties:
        UserPoolName: people
        AutoVerifiedAttributes: [email]
        LambdaConfig: { PostConfirmation: !Ref Other }
    Key: { Type: AWS::SQS::Queue, Properties: { QueueName: q } }
    Other: { Type: AWS::SQS::Queue, Properties: { QueueName: o } }
"""


def test_a_pool_has_the_triggers_of_all_functions(with_events: Callable[[str], Template]) -> None:
    template = with_events(
        """
        - cognitoUserPool: { pool: people, trigger: PreSignUp }
        - cognitoUserPool: { pool: people, trigger: PreTokenGeneration, lambdaVersion: V2_0 }
        """
    )

    pool = template.resources["CognitoUserPoolPeople"]
    assert pool.properties == {
        "UserPoolName": "people",
        "LambdaConfig": {
            "PreSignUp": ARN,
            "PreTokenGenerationConfig": {"LambdaArn": ARN, "LambdaVersion": "V2_0"},
        },
    }
    permission = template.resources[
        "GreetLambdaPermissionCognitoUserPoolPeopleTriggerSourcePreSignUp"
    ]
    assert permission.properties["Principal"] == "cognito-idp.amazonaws.com"
    assert permission.properties["SourceArn"] == {"Fn::GetAtt": ["CognitoUserPoolPeople", "Arn"]}


def test_a_resource_of_the_file_adds_to_the_pool(project: Project) -> None:
    events = events_of("- cognitoUserPool: { pool: people, trigger: PreSignUp }")

    pool = project.compile(FUNCTION + events + POOL).resources["CognitoUserPoolPeople"]

    assert pool.properties["AutoVerifiedAttributes"] == ["email"]
    assert pool.properties["LambdaConfig"] == {
        "PreSignUp": ARN,
        "PostConfirmation": {"Ref": "Other"},
    }
    assert set(pool.depends_on) == {"GreetLambdaFunction", "Key"}


def test_another_resource_of_the_same_name_is_refused(project: Project) -> None:
    events = events_of("- cognitoUserPool: { pool: people, trigger: PreSignUp }")
    other = (
        "resources:\n  Resources:\n    CognitoUserPoolPeople:\n"
        "      { Type: AWS::SQS::Queue, Properties: { QueueName: q } }\n"
    )

    assert "defined twice" in project.refused(FUNCTION + events + other).message


def test_an_existing_pool_gets_its_triggers_and_nothing_else(project: Project) -> None:
    events = events_of(
        """
        - cognitoUserPool: { pool: people, trigger: PreSignUp, existing: true }
        - cognitoUserPool: { pool: people, trigger: CustomMessage, existing: true }
        """
    )

    template = project.compile(FUNCTION + events + POOL)

    triggers = template.resources["GreetCustomCognitoUserPool1"]
    assert triggers.properties == {
        "FunctionName": "shop-test-greet",
        "UserPoolName": "people",
        "UserPoolConfigs": [{"Trigger": "PreSignUp"}, {"Trigger": "CustomMessage"}],
    }
    assert set(triggers.depends_on) == {"GreetLambdaFunction", "CognitoUserPoolPeople"}
    pool = template.resources["CognitoUserPoolPeople"]
    assert pool.properties["LambdaConfig"] == {"PostConfirmation": {"Ref": "Other"}}


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ("- cognitoUserPool: people", "cognitoUserPool"),
        ("- cognitoUserPool: { pool: people }", "trigger"),
        ("- cognitoUserPool: { pool: people, trigger: Sometimes }", "trigger"),
        ("- cognitoUserPool: { pool: 'a/b', trigger: PreSignUp }", "no name of a user pool"),
        (
            "- cognitoUserPool: { pool: p, trigger: CustomEmailSender, kmsKeyId: 'arn:x' }",
            "not part of this stack",
        ),
        ("- cognitoUserPool: { pool: p, trigger: PreSignUp, lambdaVersion: V2_0 }", "only"),
        (
            "- cognitoUserPool: { pool: p, trigger: PreSignUp }\n"
            "- cognitoUserPool: { pool: p, trigger: PreSignUp }",
            "has a function for PreSignUp already",
        ),
        (
            "- cognitoUserPool: { pool: p, trigger: PreSignUp, existing: true }\n"
            "- cognitoUserPool: { pool: q, trigger: PreSignUp, existing: true }",
            "of one existing pool only",
        ),
    ],
)
def test_what_is_no_trigger_of_a_pool(
    refused_events: Callable[[str], DefinitionError], events: str, said: str
) -> None:
    assert said in refused_events(events).message


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ("MfaConfiguration: 'ON'", "MfaConfiguration"),
        ("UserPoolAddOns: { AdvancedSecurityMode: ENFORCED }", "not supported here"),
        ("LambdaConfig: { CustomSMSSender: { LambdaArn: x } }", "not supported here"),
        ("Policies: { PasswordPolicy: { MinimumLength: 3 } }", "6 to 99"),
    ],
)
def test_properties_of_a_pool_that_are_not_understood(
    project: Project, properties: str, said: str
) -> None:
    text = (
        f"{FUNCTION}resources:\n  Resources:\n    P:\n      Type: AWS::Cognito::UserPool\n"
        f"      Properties: {{ {properties} }}\n"
    )

    assert said in project.refused(text).message

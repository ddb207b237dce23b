"""What is patched in LocalStack's CloudFormation, and that it is still needed."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest
from localstack.aws.spec import load_service
from localstack.services.cloudformation.engine.v2.change_set_model import Nothing, is_nothing
from localstack.services.cloudformation.engine.v2.change_set_model_executor import (
    ChangeSetModelExecutor,
)
from localstack.services.cloudformation.engine.v2.change_set_model_preproc import (
    ChangeSetModelPreproc,
    PreprocProperties,
    PreprocResource,
)
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ResourceProvider,
    ResourceProviderExecutor,
)
from localstack.services.cloudformation.v2.provider import CloudformationProviderV2

from tests.support.fresh import Fresh
from trigger_stack.localstack.cloudformation import updates
from trigger_stack.localstack.cloudformation.addresses import reachable
from trigger_stack.localstack.cloudformation.left_out import never_made
from trigger_stack.localstack.cloudformation.operations import typed
from trigger_stack.localstack.cloudformation.order import depths
from trigger_stack.localstack.cloudformation.replacements import is_other


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://abc123.execute-api.us-east-1.amazonaws.com/prod", "/abc123/prod"),
        ("https://abc123.execute-api.us-east-1.amazonaws.com", "/abc123"),
        ("https://abc123.execute-api.us-gov-west-1.amazonaws.com/a/b/", "/abc123/a/b/"),
    ],
)
def test_an_address_of_aws_becomes_one_of_this_emulator(address: str, path: str) -> None:
    changed = reachable(address)
    assert changed.startswith("http://")
    assert changed.endswith(f":4566/_aws/execute-api{path}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.com/prod",
        "https://abc.execute-api.us-east-1.example.com/prod",
        "see https://abc.execute-api.us-east-1.amazonaws.com/prod",
        "arn:aws:execute-api:us-east-1:000000000000:abc/*",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert reachable(text) == text


def test_localstack_still_makes_names_that_need_dns() -> None:
    address = "https://abc.execute-api.us-east-1.amazonaws.com/prod"
    assert "abc.execute-api." in ChangeSetModelPreproc._perform_static_replacements(address)


def test_localstack_still_gives_a_resource_nothing_instead_of_no_properties() -> None:
    resource = PreprocResource("A", "a", None, "AWS::S3::Bucket", Nothing, None, False)
    assert is_nothing(resource.properties)


class Unchangeable(ResourceProvider[dict[str, str]]):
    """A type that LocalStack cannot change; most have no ``update`` of their own."""

    SCHEMA = {"primaryIdentifier": ["/properties/Id"]}  # noqa: RUF012  as LocalStack has it


def changed(kind: str, **properties: str) -> dict[str, object]:
    """What LocalStack gives to a provider for a change."""
    credentials = {"accessKeyId": "test", "secretAccessKey": "test", "sessionToken": ""}
    return {
        "action": "Modify",
        "awsAccountId": "000000000000",
        "callbackContext": {},
        "region": "us-east-1",
        "resourceType": kind,
        "requestData": {
            "callerCredentials": credentials,
            "logicalResourceId": "Thing",
            "previousResourceProperties": {"Id": "thing-1", "Colour": "red"},
            "resourceProperties": properties,
        },
    }


def test_localstack_still_says_that_it_changed_what_it_cannot_change() -> None:
    executor = ResourceProviderExecutor(stack_name="s", stack_id="s")
    event = updates._original(executor, Unchangeable(), changed("AWS::X::Y", Colour="blue"))
    assert event.status is OperationStatus.SUCCESS


def test_what_nobody_can_change_fails_by_name() -> None:
    executor = ResourceProviderExecutor(stack_name="s", stack_id="s")
    event = updates._execute(executor, Unchangeable(), changed("AWS::X::Y", Colour="blue"))
    assert event.status is OperationStatus.FAILED
    assert event.message.startswith("AWS::X::Y cannot be changed in a stack here (Colour)")
    assert event.resource_model == {"Id": "thing-1", "Colour": "red"}, "it can still be deleted"


def test_tags_alone_are_no_reason_to_fail() -> None:
    executor = ResourceProviderExecutor(stack_name="s", stack_id="s")
    payload = changed("AWS::X::Y", Colour="red", Tags="new")
    assert updates._execute(executor, Unchangeable(), payload).status is OperationStatus.SUCCESS


def test_localstack_still_ignores_why_an_update_failed() -> None:
    """``UpdateStack`` sets the status without a look at the outcome."""
    source = inspect.getsource(CloudformationProviderV2.update_stack)
    assert "StackStatus.UPDATE_COMPLETE" in source
    assert "failure_message" not in source


def test_a_property_that_is_taken_away_is_a_change_too() -> None:
    executor = ResourceProviderExecutor(stack_name="s", stack_id="s")
    event = updates._execute(executor, Unchangeable(), changed("AWS::X::Y", Tags="new"))
    assert event.status is OperationStatus.FAILED
    assert "(Colour, Tags)" in event.message


def test_a_log_group_without_retention_keeps_its_events() -> None:
    calls: list[object] = []
    logs = SimpleNamespace(delete_retention_policy=lambda **given: calls.append(given))
    request = SimpleNamespace(
        resource_type="AWS::Logs::LogGroup",
        previous_state={"LogGroupName": "g", "RetentionInDays": 7},
        desired_state={},
        aws_client_factory=SimpleNamespace(logs=logs),
    )
    provider = SimpleNamespace(SCHEMA={"primaryIdentifier": ["/properties/LogGroupName"]})

    event = updates.change(provider, request)

    assert calls == [{"logGroupName": "g"}]
    assert event.resource_model == {"LogGroupName": "g"}


# --- What is made first


def test_localstack_still_goes_by_the_alphabet() -> None:
    """When this fails, see whether it makes resources side by side by now."""
    source = inspect.getsource(ChangeSetModelPreproc.visit_node_resources)
    assert "for node_resource in node_resources.resources" in source
    assert "depends_on" not in source


def test_what_depends_on_nothing_has_depth_0() -> None:
    resources = {
        "Alone": {"Type": "AWS::Logs::LogGroup"},
        "Function": {"Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}},
        "Role": {"Properties": {"Name": {"Fn::Sub": "${AWS::StackName}-role"}}},
        "Url": {"Properties": {"Target": {"Fn::GetAtt": "Function.Arn"}}},
        "Filter": {"DependsOn": ["Url"], "Properties": {"Name": {"Ref": "Alone"}}},
        "Text": {"Properties": {"Value": {"Fn::Sub": ["${Filter} ${Other}", {"Other": "x"}]}}},
    }
    assert depths(resources) == {
        "Alone": 0, "Role": 0, "Function": 1, "Url": 2, "Filter": 3, "Text": 4,
    }  # fmt: skip


def test_a_chain_of_as_many_resources_as_a_template_may_have() -> None:
    chain = {f"R{n}": {"DependsOn": f"R{n + 1}"} if n < 499 else {} for n in range(500)}

    assert depths(chain) == {f"R{n}": 499 - n for n in range(500)}


def test_a_circle_of_references_has_an_end() -> None:
    assert set(depths({"A": {"Ref": "B"}, "B": {"Ref": "A"}, "C": {"Ref": "C"}})) == {"A", "B", "C"}


# --- What is replaced


def alias(**properties: str) -> PreprocResource:
    kind = "AWS::Lambda::Alias"
    return PreprocResource("A", "a", None, kind, PreprocProperties(properties), None, True)


def test_another_value_of_a_create_only_property_is_another_resource() -> None:
    live = alias(FunctionName="f", Name="live", FunctionVersion="1")
    assert is_other(live, alias(FunctionName="f", Name="next", FunctionVersion="1"))
    assert not is_other(live, alias(FunctionName="f", Name="live", FunctionVersion="2"))


def test_localstack_still_takes_a_reference_for_a_change() -> None:
    source = inspect.getsource(ChangeSetModelExecutor._execute_resource_change)
    assert "if after.requires_replacement:" in source


def test_an_alias_gets_its_new_version() -> None:
    calls: list[dict[str, object]] = []
    client = SimpleNamespace(update_alias=lambda **given: calls.append(given))
    request = SimpleNamespace(
        resource_type="AWS::Lambda::Alias",
        previous_state={"FunctionName": "f", "Name": "live", "FunctionVersion": "1", "Id": "arn"},
        desired_state={"FunctionName": "f", "Name": "live", "FunctionVersion": "2"},
        aws_client_factory=SimpleNamespace(lambda_=client),
    )
    provider = SimpleNamespace(SCHEMA={"primaryIdentifier": ["/properties/Id"]})

    event = updates.change(provider, request)

    assert [(one["Name"], one["FunctionVersion"]) for one in calls] == [("live", "2")]
    assert event.resource_model["Id"] == "arn"


# --- Parameters


def test_texts_of_a_template_become_what_the_api_takes() -> None:
    model = load_service("cognito-idp").operation_model("CreateUserPool").input_shape
    given = {
        "Policies": {"PasswordPolicy": {"MinimumLength": "12", "RequireNumbers": "true"}},
        "UserPoolTags": {"count": 3, "on": True},
        "PoolName": "shop",
    }
    assert typed(given, model) == {
        "Policies": {"PasswordPolicy": {"MinimumLength": 12, "RequireNumbers": True}},
        "UserPoolTags": {"count": "3", "on": "true"},
        "PoolName": "shop",
    }


# --- What was never made


@pytest.mark.parametrize(
    ("kind", "schema", "properties", "never"),
    [
        ("AWS::Lambda::EventSourceMapping", {"ids": ["Id"], "given": ["Id"]}, {}, True),
        ("AWS::Lambda::EventSourceMapping", {"ids": ["Id"], "given": ["Id"]}, {"Id": "1"}, False),
        ("AWS::SQS::Queue", {"ids": ["QueueUrl"], "given": ["Arn"]}, {}, False),
        ("AWS::Logs::LogStream", {"ids": ["Id"], "given": ["Id"]}, {"LogStreamName": "s"}, False),
    ],
)
def test_what_has_no_id_was_never_made(
    kind: str, schema: dict[str, list[str]], properties: dict[str, str], never: bool
) -> None:
    paths = {name: [f"/properties/{one}" for one in schema[name]] for name in schema}
    provider = SimpleNamespace(
        SCHEMA={"primaryIdentifier": paths["ids"], "readOnlyProperties": paths["given"]}
    )
    assert never_made(kind, provider, {"resourceProperties": properties}) is never


_START = """
import sys
from importlib.metadata import distribution

for one in distribution("trigger-stack-localstack").entry_points:
    if one.group == "localstack.hooks.on_infra_start":
        hook = one.load()
        if one.name in ("choose_prepared_stacks", "guard_event_delivery", "count_changes"):
            hook()
late = ("localstack.aws.api.ec2", "localstack.services.cloudformation.v2.provider")
print([name for name in (*late, "samtranslator") if name in sys.modules])
from localstack.services.plugins import SERVICE_PLUGINS

SERVICE_PLUGINS.require("cloudformation")
print(all(name in sys.modules for name in late), "samtranslator" in sys.modules)
from localstack.services.cloudformation.v2 import provider

print(hasattr(provider.find_stack_v2, "__wrapped__"))
"""


def test_the_start_does_not_import_cloudformation(fresh: Fresh) -> None:
    printed = fresh.run(_START)

    assert printed.stdout.splitlines() == ["[]", "True False", "True"], printed

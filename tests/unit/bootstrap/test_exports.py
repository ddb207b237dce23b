"""Outputs that other projects import; the Parameter Store is moto's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from conftest import FUNCTION, Project
from moto import mock_aws

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings
from bootstrap.template import UnknownAttributeError, resolve

EXPORT = RESOURCE_TYPES["Custom::Export"]


class InMoto(Context):
    def client(self, name: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(name, region_name="us-east-1", **keys)


@pytest.fixture
def context() -> Iterator[Context]:
    with mock_aws():
        yield InMoto(Settings(4566, 8080, "us-east-1"), "shop")


def test_what_is_exported_can_be_imported(context: Context) -> None:
    exported = {"Name": "shop:table", "Value": "items"}

    assert EXPORT.ensure(context, "TableExport", exported)[0] is Outcome.CREATED
    assert EXPORT.ensure(context, "TableExport", exported)[0] is Outcome.UNCHANGED
    changed = exported | {"Value": "other"}
    assert EXPORT.ensure(context, "TableExport", changed)[0] is Outcome.CHANGED

    imported = {"Fn::Join": ["-", ["a", {"Fn::ImportValue": "shop:table"}]]}
    assert resolve(imported, {}, context.pseudo) == "a-other"


def test_an_export_of_a_stack_of_cloudformation(context: Context) -> None:
    context.client("cloudformation").create_stack(
        StackName="theirs",
        TemplateBody="""{"Resources": {"Q": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"O": {"Value": "it", "Export": {"Name": "theirs-it"}}}}""",
    )

    assert resolve({"Fn::ImportValue": "theirs-it"}, {}, context.pseudo) == "it"


def test_what_nobody_exports(context: Context) -> None:
    with pytest.raises(UnknownAttributeError, match="nothing exports shop:no"):
        resolve({"Fn::ImportValue": "shop:no"}, {}, context.pseudo)


def test_an_export_that_is_no_longer_described(context: Context) -> None:
    EXPORT.ensure(context, "TableExport", {"Name": "shop:table", "Value": "items"})
    assert EXPORT.remove is not None

    assert EXPORT.remove(context, {"Ref": "shop:table"})
    assert not EXPORT.remove(context, {"Ref": "shop:table"})


def test_an_output_with_an_export(project: Project) -> None:
    export = "{Name: !Sub '${AWS::Region}-t'}"
    outputs = f"resources:\n  Outputs:\n    Table: {{Value: items, Export: {export}}}\n"

    template = project.compile(FUNCTION + outputs)

    made = template.resources["TableExport"]
    assert made.properties == {"Name": {"Fn::Sub": "${AWS::Region}-t"}, "Value": "items"}


def test_an_export_without_a_name(project: Project) -> None:
    outputs = "resources:\n  Outputs:\n    Table: {Value: items, Export: {}}\n"

    assert "Export takes a Name" in str(project.refused(FUNCTION + outputs))

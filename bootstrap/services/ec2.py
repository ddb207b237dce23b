"""Amazon EC2: the network that a load balancer has to name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ReplacementError,
    ResourceType,
)
from bootstrap.template import Physical

#: These resources have no names of their own: a tag says which one of the definition it is.
_TAG = "trigger-stack:resource"


def _mark(context: Context, logical_id: str) -> str:
    return f"{context.service}/{logical_id}"


def _tags(context: Context, kind: str, logical_id: str, properties: Properties) -> list[Any]:
    tags = [*properties.get("Tags", []), {"Key": _TAG, "Value": _mark(context, logical_id)}]
    return [{"ResourceType": kind, "Tags": tags}]


def _filters(context: Context, logical_id: str) -> list[dict[str, Any]]:
    return [{"Name": f"tag:{_TAG}", "Values": [_mark(context, logical_id)]}]


def _vpc(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    ec2 = context.client("ec2")
    known = ec2.describe_vpcs(Filters=_filters(context, logical_id))["Vpcs"]
    if known:
        return _same(known[0], properties, ("CidrBlock",)), Physical(known[0]["VpcId"])
    made = ec2.create_vpc(
        CidrBlock=properties["CidrBlock"],
        TagSpecifications=_tags(context, "vpc", logical_id, properties),
    )["Vpc"]
    return Outcome.CREATED, Physical(made["VpcId"])


def _subnet(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    ec2 = context.client("ec2")
    names = ("CidrBlock", "VpcId", "AvailabilityZone")
    known = ec2.describe_subnets(Filters=_filters(context, logical_id))["Subnets"]
    if known:
        return _same(known[0], properties, names), Physical(known[0]["SubnetId"])
    made = ec2.create_subnet(
        **{name: properties[name] for name in names if name in properties},
        TagSpecifications=_tags(context, "subnet", logical_id, properties),
    )["Subnet"]
    return Outcome.CREATED, Physical(made["SubnetId"])


def _same(actual: dict[str, Any], properties: Properties, names: tuple[str, ...]) -> Outcome:
    for name in names:
        if name in properties and properties[name] != actual.get(name):
            raise ReplacementError(
                f"it exists with {name} {actual.get(name)}, which cannot be changed. Give it"
                " another logical id."
            )
    return Outcome.UNCHANGED


def _id_key(name: str) -> Callable[[str, Properties, Physical], list[Key]]:
    return lambda _, __, physical: [{name: physical.ref}]


RESOURCE_TYPES = {
    "AWS::EC2::VPC": ResourceType(
        _vpc,
        shapes.all_as_aws("CidrBlock"),
        shapes.all_as_aws("Tags"),
        keys=_id_key("VpcId"),
    ),
    "AWS::EC2::Subnet": ResourceType(
        _subnet,
        shapes.all_as_aws("CidrBlock", "VpcId"),
        shapes.all_as_aws("AvailabilityZone", "Tags"),
        keys=_id_key("SubnetId"),
    ),
}

"""Outputs with an ``Export``, for ``Fn::ImportValue`` of other projects on the same stack.

AWS CloudFormation User Guide, "Fn::ImportValue". CloudFormation keeps exports with their stack;
the bootstrap makes no stack, and keeps them in the Parameter Store.
"""

from __future__ import annotations

from typing import Any, Final

from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    gone,
    outcome_of,
)
from bootstrap.template import Physical

EXPORT: Final = "Custom::Export"
_FOLDER: Final = "/trigger-stack/exports/"
_NOT_THERE: Final = "ParameterNotFound"


def _parameter(name: str) -> str:
    """The name of the parameter: an export's may have colons, a parameter's may not."""
    return _FOLDER + name.replace(":", "/")


def _export(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    ssm, name, value = context.client("ssm"), properties["Name"], str(properties["Value"])
    parameter = _parameter(name)
    current = found(lambda: ssm.get_parameter(Name=parameter), _NOT_THERE)
    known = current["Parameter"]["Value"] if current else None
    if known != value:
        ssm.put_parameter(Name=parameter, Value=value, Type="String", Overwrite=True)
    return outcome_of(current is None, known != value), Physical(name)


def _remove(context: Context, key: Key) -> bool:
    ssm = context.client("ssm")
    return gone(lambda: ssm.delete_parameter(Name=_parameter(key["Ref"])), _NOT_THERE)


def imported(context: Context, name: str) -> str | None:
    """The value of an export of another project or a CloudFormation stack; None: there is none."""
    ssm = context.client("ssm")
    answer = found(lambda: ssm.get_parameter(Name=_parameter(name)), _NOT_THERE)
    if answer is not None:
        return str(answer["Parameter"]["Value"])
    pages = context.client("cloudformation").get_paginator("list_exports").paginate()
    exports: list[dict[str, Any]] = [one for page in pages for one in page["Exports"]]
    return next((str(one["Value"]) for one in exports if one["Name"] == name), None)


RESOURCE_TYPES = {
    EXPORT: ResourceType(
        _export, {"Name": shapes.text, "Value": shapes.text}, remove=_remove, holds_data=False
    ),
}

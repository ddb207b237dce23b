"""Tags of resources whose type in LocalStack leaves them out, or keeps those of before.

AWS topic: AWS CloudFormation Template Reference Guide, "Resource tag".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

type Model = dict[str, Any]
#: Called with the clients, and with the properties before and after.
type Step = Callable[[Any, Model, Model], None]


def changes(before: Model, model: Model) -> tuple[dict[str, str], list[str]]:
    """Tags that are new or other, and the keys of those that are gone.

    Args:
        before: The properties before; empty when the resource is new.
        model: The properties now.
    """
    old, new = _named(before.get("Tags")), _named(model.get("Tags"))
    return {k: v for k, v in new.items() if old.get(k) != v}, sorted(old.keys() - new.keys())


def _named(tags: Any) -> dict[str, str]:
    if isinstance(tags, dict):
        return {str(key): str(value) for key, value in tags.items()}
    return {one["Key"]: str(one["Value"]) for one in tags or []}


def as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """As most operations take tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def set_by(service: str, parameter: str, arn: str, *, names: str = "TagKeys") -> Step:
    """What sets the tags of a type whose service has ``TagResource`` with a list of tags.

    Args:
        service: boto3's name of it.
        parameter: Of the operations, for the ARN.
        arn: The property of the resource that has its ARN.
        names: The parameter of ``UntagResource`` that has the keys.
    """

    def step(clients: Any, before: Model, model: Model) -> None:
        new, gone = changes(before, model)
        client, place = getattr(clients, service), {parameter: model.get(arn)}
        if gone:
            client.untag_resource(**place, **{names: gone})
        if new:
            client.tag_resource(**place, Tags=as_list(new))

    return step


def set_by_name(service: str, parameter: str, arn: str) -> Step:
    """The same for a service that takes tags as a mapping."""

    def step(clients: Any, before: Model, model: Model) -> None:
        new, gone = changes(before, model)
        client, place = getattr(clients, service), {parameter: model.get(arn)}
        names = "tagKeys" if parameter[0].islower() else "TagKeys"
        if gone:
            client.untag_resource(**place, **{names: gone})
        if new:
            client.tag_resource(**place, **{"tags" if names == "tagKeys" else "Tags": new})

    return step

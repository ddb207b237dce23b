"""Taking away what the definition has no longer: triggers at once, data only when asked to."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from bootstrap.record import Made
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, ResourceType


@dataclass(frozen=True)
class Leftover:
    """Something of an earlier run that the template has no longer.

    Attributes:
        removed: whether a trigger or permission was taken away.
        stays: whether the resource is still there.
        lost: what went with it.
        because: why AWS did not delete it; empty: because it may hold data.
        old: whether the template has another in its place, of another name.
    """

    made: Made
    removed: bool
    stays: bool
    lost: str = ""
    because: str = ""
    old: bool = False

    def __str__(self) -> str:
        name = f"{self.made.logical_id} ({self.made.type})"
        if self.old:
            name = f"the old {name}"
        if not self.stays:
            with_it = f", and {self.lost} with it" if self.lost else ""
            why = "another is in its place" if self.old else "it is no longer described"
            return f"removed {name}: {why}{with_it}"
        command = RESOURCE_TYPES[self.made.type].delete_with.format(**self.made.key)
        triggers = "its triggers are removed; " if self.removed else ""
        if self.because:
            return f"kept {name}: no longer described, and AWS does not delete it: {self.because}"
        return (
            f"kept {name}: no longer described; {triggers}delete it with: awslocal {command}, or"
            " with everything else that is kept: make up PRUNE=all"
        )


def can_delete(kind: ResourceType) -> bool:
    """Whether a resource of this type can be deleted by :func:`delete`."""
    return bool(kind.delete or kind.delete_with or (kind.remove and not kind.exists))


def delete(context: Context, kind: ResourceType, key: dict[str, Any]) -> None:
    """Delete a resource, and what it holds."""
    if kind.remove:
        kind.remove(context, key)
    if kind.delete:
        kind.delete(context, key)
    elif kind.delete_with:
        _by_command(context, kind.delete_with, key)


def _by_command(context: Context, command: str, key: dict[str, Any]) -> None:
    """Call the operation that an ``awslocal`` command names: ``sqs delete-queue --queue-url …``."""
    service, operation, *options = (word.format(**key) for word in shlex.split(command))
    client, method = context.client(service), operation.replace("-", "_")
    api = client.meta.method_to_api_mapping[method]
    shape = client.meta.service_model.operation_model(api).input_shape
    names = {xform_name(member, "-"): member for member in shape.members}
    pairs = zip(options[::2], options[1::2], strict=True)
    getattr(client, method)(**{names[option.removeprefix("--")]: v for option, v in pairs})


def lost_with(context: Context, kind: ResourceType, key: dict[str, Any]) -> str:
    """What would be lost with a resource, in words; empty when nothing would."""
    if not kind.holds_data:
        return ""
    return kind.lost(context, key) if kind.lost else "what it holds"


def in_order(leftovers: list[Made]) -> list[Made]:
    """In the order to take them away: routes before their API, mappings before their function."""

    def is_trigger(made: Made) -> bool:
        kind = RESOURCE_TYPES.get(made.type)
        return kind is None or kind.exists is None

    ordered = sorted(leftovers, key=lambda made: made.order, reverse=True)
    return [m for m in ordered if is_trigger(m)] + [m for m in ordered if not is_trigger(m)]


def drop(made: Made, context: Context, *, prune: bool) -> Leftover:
    """Take away a resource that is no longer described, or only its triggers.

    Args:
        prune: also what may hold data.

    Raises:
        ClientError: AWS refused to take a trigger away.
        BotoCoreError: AWS did not answer.
    """
    kind = RESOURCE_TYPES.get(made.type)
    if kind is None:  # an earlier version of the bootstrap knew it
        return Leftover(made, removed=False, stays=False)
    removed = kind.remove(context, made.key) if kind.remove else False
    if not (kind.exists and kind.exists(context, made.key)):
        return Leftover(made, removed=removed, stays=False)
    if kind.holds_data and not prune:
        return Leftover(made, removed=removed, stays=True)
    lost = lost_with(context, kind, made.key)
    try:
        delete(context, kind, made.key)
    except (BotoCoreError, ClientError) as error:
        return Leftover(made, removed=removed, stays=True, because=str(error))
    return Leftover(made, removed=True, stays=False, lost=lost)

"""What depends on nothing is made first, as on AWS.

What: gives ``ChangeSetModelExecutor`` a ``visit_node_resources`` that sorts them.
Why: AWS makes at once what does not depend on each other; LocalStack goes by the alphabet. A
template that has a resource's name in place of a reference (the log group of a subscription filter,
in that of the Serverless Framework) deploys on AWS, and would fail here.
Until: LocalStack makes resources side by side, or in this order.
Test: ``tests/unit/plugin/test_cloudformation_patches.py``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from localstack.services.cloudformation.engine.v2.change_set_model import NodeResources
from localstack.services.cloudformation.engine.v2.change_set_model_executor import (
    ChangeSetModelExecutor,
)

_IN_TEXT = re.compile(r"\$\{([A-Za-z0-9]+)[^}]*\}")


def depths(resources: Mapping[str, Any]) -> dict[str, int]:
    """How long the longest chain of resources is that each one depends on.

    Args:
        resources: Of a template: with ``Ref``, ``Fn::GetAtt``, ``Fn::Sub`` and ``DependsOn``.
    """
    needed = {
        name: set(_needed(resource)) & resources.keys() - {name}
        for name, resource in resources.items()
    }
    sorter = TopologicalSorter(needed)
    with contextlib.suppress(CycleError):  # the executor says what is wrong with it
        sorter.prepare()
    found = dict.fromkeys(resources, 0)
    depth = 0
    while ready := sorter.get_ready():
        found.update(dict.fromkeys(ready, depth))
        sorter.done(*ready)
        depth += 1
    return found


def _needed(value: Any) -> Iterator[str]:
    """The names that a resource refers to, among others."""
    if isinstance(value, list):
        for part in value:
            yield from _needed(part)
    if not isinstance(value, dict):
        return
    for key, part in value.items():
        if key == "Fn::Sub":
            text = part[0] if isinstance(part, list) else part
            yield from _IN_TEXT.findall(str(text))
        elif key in {"Ref", "Fn::GetAtt", "DependsOn"}:
            for one in part if isinstance(part, list) else [part]:
                yield str(one).partition(".")[0]
        yield from _needed(part)


def _visit_node_resources(self: ChangeSetModelExecutor, node_resources: NodeResources) -> None:
    change_set: Any = self._change_set
    resources: dict[str, Any] = {}
    for template in (change_set.stack.processed_template, change_set.processed_template):
        resources |= (template or {}).get("Resources") or {}
    depth = depths(resources)
    node_resources.resources.sort(key=lambda one: depth.get(one.name, 0))  # keeps the alphabet
    super(ChangeSetModelExecutor, self).visit_node_resources(node_resources)


def make_first_what_depends_on_nothing() -> None:
    """Patch LocalStack."""
    ChangeSetModelExecutor.visit_node_resources = _visit_node_resources  # type: ignore[assignment]  # a patch

"""Which stacks are described, and that LocalStack still describes others."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.services.cloudformation.v2 import provider

from trigger_stack.localstack.cloudformation import descriptions

GONE, THERE, NONE = (
    f"arn:aws:cloudformation:us-east-1:000000000000:stack/{name}/0a1b2c3d"
    for name in ("gone", "there", "none")
)


@pytest.fixture(autouse=True)
def patched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    kind = provider.CloudformationProviderV2
    monkeypatch.setattr(kind, "describe_stacks", descriptions._describe)
    monkeypatch.setattr(provider, "find_stack_v2", descriptions._find)
    monkeypatch.setattr(provider, "get_cloudformation_store", lambda account, region: STORE)
    monkeypatch.setattr(kind, "_describe_stack", lambda self, stack: vars(stack))
    descriptions.describe_what_is_there()
    return


def made(name: str, status: str) -> Any:
    return SimpleNamespace(stack_name=name, status=status, StackName=name, StackStatus=status)


STORE: Any = SimpleNamespace(
    stacks_v2={GONE: made("gone", "DELETE_COMPLETE"), THERE: made("there", "CREATE_COMPLETE")}
)


def described(name: str | None, describe: Any = None) -> list[str]:
    describe = describe or provider.CloudformationProviderV2.describe_stacks
    self = provider.CloudformationProviderV2.__new__(provider.CloudformationProviderV2)
    context: Any = SimpleNamespace(account_id="000000000000", region="us-east-1")
    return [one["StackName"] for one in describe(self, context, stack_name=name)["Stacks"]]


@pytest.mark.parametrize(
    ("name", "found"),
    [(None, ["there"]), (GONE, ["gone"]), (THERE, ["there"]), ("there", ["there"])],
)
def test_what_is_described(name: str | None, found: list[str]) -> None:
    assert described(name) == found


@pytest.mark.parametrize("name", [NONE, "gone", "none"])
def test_what_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(provider.ValidationError, match="does not exist"):
        described(name)


def test_localstack_still_describes_what_is_gone() -> None:
    """When this fails, LocalStack may need the patch no longer."""
    assert described(None, descriptions._describe) == ["gone", "there"]
    with pytest.raises(KeyError):
        descriptions._find(STORE, NONE)

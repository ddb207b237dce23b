"""Messages and attributes of topics that SNS refuses, and that LocalStack still fails for them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from localstack.services.sns.provider import SnsProvider, _validate_message_attribute_name

from trigger_stack.localstack.topics.publications import (
    is_attribute,
    why_message_refused,
    why_policy_refused,
)


def test_localstack_still_fails_for_them() -> None:
    """When this fails, LocalStack refuses them itself."""
    with pytest.raises(IndexError):
        _validate_message_attribute_name("")
    assert "suppress(KeyError)" in inspect.getsource(SnsProvider.unsubscribe)
    assert "message.items()" in inspect.getsource(SnsProvider.publish)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"Subject": "s" * 100}, None),
        ({"Subject": "s" * 101}, "Subject"),
        ({"Subject": ""}, "Subject"),
        ({"Subject": "a\nb"}, "Subject"),
        ({"MessageAttributes": {"": {}}}, "The message attribute name must not be empty."),
        ({"MessageStructure": "json", "Message": '{"default": "m"}'}, None),
        (
            {"MessageStructure": "json", "Message": "[1]"},
            "Message Structure - JSON message body failed to parse",
        ),
        ({"Message": "[1]"}, None),
    ],
)
def test_the_form_of_a_message(entry: dict[str, Any], said: str | None) -> None:
    assert why_message_refused(entry) == said


def test_a_policy_has_statements() -> None:
    assert why_policy_refused("Policy", "{}") == "Policy Error: null"
    assert why_policy_refused("Policy", '{"Statement": [{}]}') is None
    assert why_policy_refused("DisplayName", "{}") is None


def test_attributes_that_a_topic_has() -> None:
    assert is_attribute("DisplayName")
    assert is_attribute("SQSFailureFeedbackRoleArn")
    assert not is_attribute("Owner")
    assert not is_attribute(None)

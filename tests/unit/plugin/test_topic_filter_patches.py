"""The patches of LocalStack's filter policies are still needed, and what they accept and refuse."""

from __future__ import annotations

import importlib.util
import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.aws.api.sns import InvalidParameterException
from localstack.services.sns import provider, publisher
from localstack.services.sns.filter import FilterPolicyValidator, SubscriptionFilter

from trigger_stack.delivery.core.deliverer import Deliverer
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.localstack.topics import dispatch, filter_policies, publishers


@pytest.fixture
def localstack() -> Any:
    """LocalStack's module as it is without patches."""
    spec = importlib.util.find_spec("localstack.services.sns.filter")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_localstack_still_raises_for_a_value_that_is_no_string(localstack: Any) -> None:
    """When this fails, and the next two, ``filter_policies.py`` may go."""
    policy = {"k": [{"prefix": "x"}]}

    with pytest.raises(AttributeError):
        localstack.SubscriptionFilter().check_filter_policy_on_message_body(policy, '{"k": 5}')


def test_localstack_still_compares_numbers_with_strings(localstack: Any) -> None:
    policy = {"k": [{"anything-but": [100]}]}
    attributes = {"k": {"DataType": "Number", "StringValue": "100"}}

    assert localstack.SubscriptionFilter().check_filter_policy_on_message_attributes(
        policy, attributes
    )


def test_localstack_still_does_not_know_wildcards(localstack: Any) -> None:
    validator = localstack.FilterPolicyValidator("MessageAttributes", is_subscribe_call=True)

    with pytest.raises(InvalidParameterException, match="Unrecognized match type wildcard"):
        validator.validate_filter_policy({"k": [{"wildcard": "*x"}]})


def test_localstack_still_accepts_empty_messages_in_a_batch() -> None:
    """When this fails, ``publish_batch`` of our provider may go."""
    refusal = "Empty message"

    assert refusal in inspect.getsource(provider.SnsProvider.publish)
    assert refusal not in inspect.getsource(provider.SnsProvider.publish_batch)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, names in (
        (
            SubscriptionFilter,
            ("check_filter_policy_on_message_attributes", "check_filter_policy_on_message_body"),
        ),
        (FilterPolicyValidator, ("validate_filter_policy", "_validate_rule")),
    ):
        for name in names:
            monkeypatch.setattr(owner, name, getattr(owner, name))  # is back after the test
    for _ in range(2):
        filter_policies.install()


def validate(policy: Any, scope: str = "MessageAttributes") -> None:
    FilterPolicyValidator(scope, is_subscribe_call=True).validate_filter_policy(policy)


@pytest.mark.usefixtures("installed")
def test_a_dispatcher_filters_as_sns_does() -> None:
    filters = publisher.PublishDispatcher.subscription_filter
    hundred = {"k": {"DataType": "Number", "StringValue": "100"}}

    assert not filters.check_filter_policy_on_message_body({"k": [{"prefix": "x"}]}, '{"k": 5}')
    assert not filters.check_filter_policy_on_message_attributes(
        {"k": [{"anything-but": [100]}]}, hundred
    )
    assert filters.check_filter_policy_on_message_attributes({"k": [100]}, hundred)
    assert not filters.check_filter_policy_on_message_attributes({"k": [100]}, {})


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "policy",
    [
        {"k": ["x", 5, True, None, {"prefix": "x"}, {"numeric": [">", 0, "<=", 5]}]},
        {"k": [{"wildcard": "*ball"}]},
        {"k": [{"wildcard": r"*a*b*c\*"}]},
        {"k": [{"anything-but": {"suffix": "ball"}}]},
        {"k": [{"anything-but": {"wildcard": "*ball"}}]},
        {"$or": [{"k": ["x"]}, {"l": [{"wildcard": "*"}]}]},
        {"$or": ["x", "y"]},
        {"$or": [{"prefix": "x"}, {"suffix": "y"}]},
    ],
)
def test_policies_that_sns_accepts(policy: Any) -> None:
    validate(policy)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"k": [{"wildcard": 5}]}, "wildcard match pattern must be a string"),
        ({"k": [{"wildcard": "****"}]}, "more than 3"),
        ({"k": [{"anything-but": {"suffix": 5}}]}, "suffix match pattern must be a string"),
        ({"k": [{"anything-but": {"exists": True}}]}, "Unsupported anything-but pattern"),
        ({"k": [{"numeric": 5}]}, "cannot be read"),
        ({"k": [{"suffix": "x", "wildcard": "x"}]}, "Only one key"),
        ({"k": [{"other": "x"}]}, "Unrecognized match type other"),
        ({"k": "x"}, "must be an object or an array"),
        ({"k": []}, "Empty arrays are not allowed"),
        ({"k": {"l": ["x"]}}, "does not support nested"),
        ({"$or": [{"k": ["x"]}, {"l": "y"}]}, "must be an object or an array"),
        ({str(number): ["x"] for number in range(6)}, "more than 5 keys"),
        (["x"], "Filter is not an object"),
        (5, "Filter is not an object"),
    ],
)
def test_policies_that_sns_refuses(policy: Any, why: str) -> None:
    with pytest.raises(InvalidParameterException, match=why):
        validate(policy)


@pytest.mark.parametrize("publish", ["publish_to_topic", "publish_batch_to_topic"])
def test_a_filter_that_fails_is_no_matter_of_other_subscriptions(
    monkeypatch: pytest.MonkeyPatch, publish: str
) -> None:
    outcomes: list[Outcome] = []
    given: list[str] = []
    topic = "arn:aws:sns:us-east-1:000000000000:t"

    class Dispatcher:
        def _should_publish(self, policies: Any, message: Any, subscriber: Any) -> bool:
            if subscriber["Endpoint"] == "broken":
                raise OSError("no filter")
            return True

        def publish_to_topic(self, ctx: Any, topic_arn: str) -> None:
            for endpoint in ("broken", "fine"):
                subscriber = {"TopicArn": topic_arn, "Endpoint": endpoint, "Protocol": "sqs"}
                if self._should_publish({}, ctx.message, subscriber):
                    given.append(endpoint)

        publish_batch_to_topic = publish_to_topic

    def record(outcome: Outcome) -> bool:
        outcomes.append(outcome)
        return True

    monkeypatch.setattr(publishers, "deliverer", Deliverer(record))
    monkeypatch.setattr(publisher, "store_delivery_log", lambda *_, **__: None)
    dispatch.deduplicate(Dispatcher)
    dispatch.isolate_filters(Dispatcher)
    message = publisher.SnsMessage(type="Notification", message="m")
    context = SimpleNamespace(
        message=message, messages=[message], store=None, request_headers={}, topic_attributes={}
    )

    getattr(Dispatcher(), publish)(context, topic)

    assert given == ["fine"]
    [lost] = outcomes
    assert (lost.state, lost.target, lost.payload) == ("lost", "broken", b"m")
    assert "no filter" in lost.place

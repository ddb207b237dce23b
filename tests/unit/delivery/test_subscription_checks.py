"""Which delivery policies and endpoints of subscriptions SNS refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trigger_stack.delivery.core.subscription_checks import (
    why_attribute_refused,
    why_endpoint_refused,
    why_topic_attribute_refused,
)

TOPIC = "arn:aws:sns:us-east-1:000000000000:t"


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("sqs", "arn:aws:sqs:eu-west-1:111111111111:q"),
        ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:f:live"),
        ("application", "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/a/1"),
        ("email", "a@b.example"),
        ("http", "http://localhost:8080/in"),
        ("sms", "+491234567"),
    ],
)
def test_an_endpoint_that_is_taken(protocol: str, endpoint: str) -> None:
    assert why_endpoint_refused(TOPIC, protocol, endpoint, {}) is None


def test_a_delivery_stream_needs_a_role() -> None:
    stream = "arn:aws:firehose:us-east-1:000000000000:deliverystream/s"
    assert why_endpoint_refused(TOPIC, "firehose", stream, {}) is not None
    assert why_endpoint_refused(TOPIC, "firehose", stream, {"SubscriptionRoleArn": "r"}) is None


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({}, None),
        ({"numRetries": 100, "minDelayTarget": 1, "maxDelayTarget": 3600}, None),
        ({"numRetries": 101}, "numRetries must be less than or equal to 100"),
        ({"numNoDelayRetries": -1}, "numNoDelayRetries must be greater than or equal to 0"),
        ({"minDelayTarget": 0}, "minDelayTarget must be greater than or equal to 1"),
        ({"maxDelayTarget": 3601}, "maxDelayTarget must be less than or equal to 3600"),
        (
            {"minDelayTarget": 20, "maxDelayTarget": 10},
            "maxDelayTarget must be greater than or equal to minDelayTarget",
        ),
        (
            {"numRetries": 3, "numNoDelayRetries": 2, "numMaxDelayRetries": 2},
            "numRetries must be greater than or equal to total of numMinDelayRetries,"
            " numNoDelayRetries and numMaxDelayRetries",
        ),
        (
            {"backoffFunction": "steep"},
            "backoffFunction: the value [steep] is not a valid backoff function",
        ),
    ],
)
def test_a_retry_policy(policy: dict[str, Any], said: str | None) -> None:
    own = json.dumps({"healthyRetryPolicy": policy})
    of_topic = json.dumps({"http": {"defaultHealthyRetryPolicy": policy}})
    found = why_attribute_refused(TOPIC, "http", "DeliveryPolicy", own)
    of_all = why_topic_attribute_refused("DeliveryPolicy", of_topic)
    if said is None:
        assert (found, of_all) == (None, None)
        return
    assert found == f"DeliveryPolicy: healthyRetryPolicy.{said}"
    assert of_all == f"DeliveryPolicy: http.defaultHealthyRetryPolicy.{said}"


@pytest.mark.parametrize("value", ['""', "5", "[]", "null", "{"])
def test_a_policy_that_is_no_object(value: str) -> None:
    said = "DeliveryPolicy: failed to parse JSON."
    assert why_attribute_refused(TOPIC, "http", "DeliveryPolicy", value) == said
    assert why_topic_attribute_refused("Policy", value) == "Policy: failed to parse JSON."

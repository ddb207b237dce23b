"""Triggers, one module per event type of the Serverless Framework."""

from __future__ import annotations

from typing import Any

from bootstrap.definition.events import (
    alb,
    cloud_front,
    cloudwatch_event,
    cloudwatch_log,
    cognito_user_pool,
    event_bridge,
    http,
    http_api,
    s3,
    schedule,
    sns,
    sqs,
    stream,
    url,
)
from bootstrap.definition.events.base import EventType
from bootstrap.definition.events.failures import FailurePath
from bootstrap.definition.events.pipe_failures import PIPE_SOURCE

#: Every event type, by its key. A dead letter belongs to the first whose failure path knows it:
#: what SQS itself says about where a message was comes before what the message holds.
EVENT_TYPES: dict[str, EventType[Any]] = {
    event_type.key: event_type
    for event_type in (
        sqs.Sqs(),
        sns.Sns(),
        event_bridge.EventBridge(),
        http_api.HttpApi(),
        http.Http(),
        s3.S3(),
        stream.Stream(),
        url.Url(),
        alb.Alb(),
        cloud_front.CloudFront(),
        schedule.Schedule(),
        cognito_user_pool.CognitoUserPool(),
        cloudwatch_log.CloudwatchLog(),
        cloudwatch_event.CloudwatchEvent(),
    )
}


def failure_paths() -> list[FailurePath]:
    """Every way for an event to end in a dead-letter queue, in the order to ask them in."""
    of_types = [path for one in EVENT_TYPES.values() for path in one.failures]
    return list(dict.fromkeys([*of_types, PIPE_SOURCE]))

"""A bucket takes no notification that could never come."""

from __future__ import annotations

import secrets

import pytest
from botocore.exceptions import ClientError

from tests.delivery.conftest import arn_of
from tests.engine.lambda_stack import Stack
from tests.support.permissions import permit


@pytest.mark.parametrize(
    ("events", "code", "said"),
    [
        (
            ["s3:ObjectCreated:*", "s3:ObjectChanged:*"],
            "InvalidArgument",
            "The event is not supported for notifications",
        ),
        ([], "MalformedXML", "did not validate against our published schema"),
    ],
)
@pytest.mark.parametrize("skip", [False, True])
def test_events_that_there_are_not_are_refused(
    stack: Stack, events: list[str], code: str, said: str, skip: bool
) -> None:
    s3, sqs, name = stack.client("s3"), stack.client("sqs"), f"b-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name)
    queue = arn_of(sqs, sqs.create_queue(QueueName=name)["QueueUrl"])
    permit(stack.client, queue)

    with pytest.raises(ClientError, match=said) as refused:
        s3.put_bucket_notification_configuration(
            Bucket=name,
            SkipDestinationValidation=skip,
            NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": queue, "Events": events}]
            },
        )

    assert refused.value.response["Error"]["Code"] == code
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=name)

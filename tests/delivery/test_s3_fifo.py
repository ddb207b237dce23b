"""A FIFO queue or topic gets no notifications of a bucket; AWS refuses it.

AWS topic: Amazon S3 User Guide, "Event notification types and destinations".
"""

from __future__ import annotations

import secrets

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack


@pytest.mark.parametrize("checked", [True, False], ids=["checked", "skipped"])
@pytest.mark.parametrize(("service", "kind"), [("sqs", "Queue"), ("sns", "Topic")])
def test_a_fifo_destination_is_refused(
    stack: Stack, service: str, kind: str, checked: bool
) -> None:
    s3, name = stack.client("s3"), secrets.token_hex(6)
    s3.create_bucket(Bucket=f"b-{name}")
    if service == "sqs":
        stack.client("sqs").create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})
    else:
        stack.client("sns").create_topic(Name=f"{name}.fifo", Attributes={"FifoTopic": "true"})
    arn = f"arn:aws:{service}:us-east-1:000000000000:{name}.fifo"

    with pytest.raises(ClientError) as raised:
        s3.put_bucket_notification_configuration(
            Bucket=f"b-{name}",
            NotificationConfiguration={
                f"{kind}Configurations": [{f"{kind}Arn": arn, "Events": ["s3:ObjectCreated:*"]}]
            },
            SkipDestinationValidation=not checked,
        )

    error = raised.value.response["Error"]
    assert error["Code"] == "InvalidArgument"
    assert error["Message"] == "Unable to validate the following destination configurations"
    kept = s3.get_bucket_notification_configuration(Bucket=f"b-{name}")
    assert f"{kind}Configurations" not in kept

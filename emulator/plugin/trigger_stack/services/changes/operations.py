"""Which operations of AWS's services cannot change what a run of the bootstrap looks at.

Operations are told by AWS's names in the service models. What is not known here counts as a change:
then a run looks at everything, which takes longer and is never wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: How the names of operations begin that change nothing.
_READS: Final = (
    "AdminGet",
    "AdminList",
    "BatchGet",
    "Describe",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Query",
    "Scan",
    "Search",
    "Select",
)
#: Operations on messages, records, objects, items and the like: what resources hold.
DATA: Final[Mapping[str, frozenset[str]]] = {
    "cloudfront": frozenset({"CreateInvalidation"}),
    "cloudwatch": frozenset({"PutMetricData"}),
    "dynamodb": frozenset(
        {
            "BatchExecuteStatement",
            "BatchWriteItem",
            "DeleteItem",
            "ExecuteStatement",
            "ExecuteTransaction",
            "PutItem",
            "TransactGetItems",
            "TransactWriteItems",
            "UpdateItem",
        }
    ),
    "events": frozenset({"PutEvents", "TestEventPattern"}),
    "kinesis": frozenset({"PutRecord", "PutRecords", "SubscribeToShard"}),
    "kms": frozenset(
        {
            "Decrypt",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateMac",
            "GenerateRandom",
            "ReEncrypt",
            "Sign",
            "Verify",
            "VerifyMac",
        }
    ),
    "lambda": frozenset({"Invoke", "InvokeAsync", "InvokeWithResponseStream"}),
    "logs": frozenset({"CreateLogStream", "PutLogEvents", "StartQuery", "StopQuery"}),
    "rekognition": frozenset({"DetectLabels", "DetectText"}),
    "s3": frozenset(
        {
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CopyObject",
            "CreateMultipartUpload",
            "DeleteObject",
            "DeleteObjectTagging",
            "DeleteObjects",
            "PostObject",
            "PutObject",
            "PutObjectAcl",
            "PutObjectTagging",
            "RestoreObject",
            "UploadPart",
            "UploadPartCopy",
        }
    ),
    "ses": frozenset(
        {"SendBounce", "SendBulkTemplatedEmail", "SendEmail", "SendRawEmail", "SendTemplatedEmail"}
    ),
    "sesv2": frozenset({"SendBulkEmail", "SendEmail"}),
    "sns": frozenset({"Publish", "PublishBatch"}),
    "sqs": frozenset(
        {
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "DeleteMessage",
            "DeleteMessageBatch",
            "PurgeQueue",
            "ReceiveMessage",
            "SendMessage",
            "SendMessageBatch",
        }
    ),
    "sts": frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}),
    "xray": frozenset({"PutTelemetryRecords", "PutTraceSegments"}),
}
#: The bootstrap's record of what it made is in log groups of this name.
RECORDS: Final = "/trigger-stack/"


def may_change(service: str, operation: str, request: Mapping[str, object]) -> bool:
    """Whether a call may change what a run of the bootstrap looks at.

    Args:
        service: As the service models call it, such as ``cognito-idp``.
        operation: Such as ``CreateQueue``.
        request: Its parameters.
    """
    if operation.startswith(_READS):
        return False
    if operation not in DATA.get(service, ()):
        return True
    return service == "logs" and str(request.get("logGroupName", RECORDS)).startswith(RECORDS)

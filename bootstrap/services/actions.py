"""Which IAM actions an operation needs."""

from __future__ import annotations

#: IAM actions by service of boto3 and method, for the operations whose actions are certain
#: (Service Authorization Reference). Methods of resources (``Table.put_item``) are called alike.
ACTIONS: dict[str, dict[str, str]] = {
    "cloudfront": {"create_invalidation": "cloudfront:CreateInvalidation"},
    "dynamodb": {
        "batch_get_item": "dynamodb:BatchGetItem",
        "batch_write_item": "dynamodb:BatchWriteItem",
        "batch_writer": "dynamodb:BatchWriteItem",
        "delete_item": "dynamodb:DeleteItem",
        "get_item": "dynamodb:GetItem",
        "put_item": "dynamodb:PutItem",
        "query": "dynamodb:Query",
        "scan": "dynamodb:Scan",
        "update_item": "dynamodb:UpdateItem",
    },
    "events": {"put_events": "events:PutEvents"},
    "firehose": {
        "put_record": "firehose:PutRecord",
        "put_record_batch": "firehose:PutRecordBatch",
    },
    "kinesis": {"put_record": "kinesis:PutRecord", "put_records": "kinesis:PutRecords"},
    "lambda": {"invoke": "lambda:InvokeFunction"},
    "rekognition": {
        "detect_labels": "rekognition:DetectLabels",
        "detect_text": "rekognition:DetectText",
    },
    "s3": {
        "delete_object": "s3:DeleteObject",
        "delete_objects": "s3:DeleteObject",
        "download_file": "s3:GetObject",
        "download_fileobj": "s3:GetObject",
        "get_object": "s3:GetObject",
        "head_object": "s3:GetObject",
        "list_objects_v2": "s3:ListBucket",
        "put_object": "s3:PutObject",
        "upload_file": "s3:PutObject",
        "upload_fileobj": "s3:PutObject",
    },
    "secretsmanager": {"get_secret_value": "secretsmanager:GetSecretValue"},
    "ses": {"send_email": "ses:SendEmail", "send_raw_email": "ses:SendRawEmail"},
    "sesv2": {"send_email": "ses:SendEmail"},
    "sns": {"publish": "sns:Publish", "publish_batch": "sns:Publish"},
    "sqs": {
        "delete_message": "sqs:DeleteMessage",
        "send_message": "sqs:SendMessage",
        "send_message_batch": "sqs:SendMessage",
        "send_messages": "sqs:SendMessage",
    },
    "ssm": {
        "get_parameter": "ssm:GetParameter",
        "get_parameters": "ssm:GetParameters",
        "put_parameter": "ssm:PutParameter",
    },
    "stepfunctions": {"start_execution": "states:StartExecution"},
}

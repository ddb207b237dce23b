"""Reading DynamoDB's errors (AWS documentation: DynamoDB, "Condition expressions")."""

from botocore.exceptions import ClientError


def is_condition_failure(error: ClientError) -> bool:
    """Whether a write was refused because its condition did not hold."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"

"""Which functions may be used at the edge.

AWS topics: CloudFront Developer Guide, "Restrictions on Lambda@Edge", "Quotas on Lambda@Edge" and
"Set up IAM permissions and roles for Lambda@Edge".
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from trigger_stack.services.cloudfront.validation import lambda_error

REGION: Final = "us-east-1"
PRINCIPALS: Final = ("edgelambda.amazonaws.com", "lambda.amazonaws.com")
_ARN: Final = re.compile(
    r"arn:[a-z-]+:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:[A-Za-z0-9-_]+"
    r"(?::(?P<version>[A-Za-z0-9$_-]+))?"
)
#: Seconds and MB, by whose request or response it is.
_VIEWER: Final = (5, 128)
_ORIGIN: Final = (30, 10_240)
_EPHEMERAL_MB: Final = 512


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """What counts of a function version.

    Attributes:
        timeout_s: ``Timeout``.
        memory_mb: ``MemorySize``.
        trusted: Services that may assume its role; ``None``: the role is not known here.
    """

    timeout_s: int
    memory_mb: int
    runtime: str
    role: str
    trusted: Collection[str] | None = None
    ephemeral_mb: int = _EPHEMERAL_MB
    architectures: Collection[str] = ("x86_64",)
    has_environment: bool = False
    has_layers: bool = False
    has_network: bool = False
    has_dead_letters: bool = False
    has_image: bool = False


def check_arn(arn: str, account_id: str) -> None:
    """Check the ARN of a function at the edge.

    Raises:
        ServiceError: ``InvalidLambdaFunctionAssociation``.
    """
    match = _ARN.fullmatch(arn)
    if match is None:
        raise lambda_error(f"The function ARN is not valid. ARN: {arn}")
    if match["region"] != REGION:
        raise lambda_error(f"The function must be in region '{REGION}'. ARN: {arn}")
    if not (match["version"] or "").isdecimal():
        raise lambda_error(
            "The function ARN must reference a specific function version. (The ARN must end with"
            f" the version number.) ARN: {arn}"
        )
    if match["account"] != account_id:
        raise lambda_error(f"The function must be owned by the distribution's account. ARN: {arn}")


def check_function(arn: str, point: str, facts: FunctionFacts | None) -> None:
    """Check a function version for one of the four points.

    Args:
        arn: With the version.
        point: ``viewer-request``, …
        facts: ``None``: there is no such version.

    Raises:
        ServiceError: ``InvalidLambdaFunctionAssociation``.
    """
    if facts is None:
        raise lambda_error(
            "Lambda@Edge cannot retrieve the specified Lambda function. Update the IAM policy to"
            f" add permission: lambda:GetFunction for resource: {arn}"
        )
    for is_so, what in (
        (facts.has_environment, "cannot have environment variables"),
        (facts.has_layers, "cannot have a layer"),
        (facts.has_network, "cannot have VPC configuration"),
        (facts.has_dead_letters, "cannot have a dead letter queue"),
        (facts.has_image, "cannot be a container image"),
        ("arm64" in facts.architectures, "cannot have the arm64 architecture"),
        (facts.ephemeral_mb > _EPHEMERAL_MB, "cannot have more than 512 MB of ephemeral storage"),
    ):
        if is_so:
            raise lambda_error(f"The function {what}. Function: {arn}")
    if not facts.runtime.startswith(("nodejs", "python")):
        raise lambda_error(
            f"The function has an invalid runtime: {facts.runtime}. Supported runtimes are those"
            f" of Node.js and Python. Function: {arn}"
        )
    seconds, megabytes = _VIEWER if point.startswith("viewer") else _ORIGIN
    if facts.timeout_s > seconds:
        raise lambda_error(
            "The function timeout is larger than the maximum allowed for functions that are"
            f" triggered by a CloudFront event: {facts.timeout_s} Max allowed: {seconds} Function:"
            f" {arn}"
        )
    if facts.memory_mb > megabytes:
        raise lambda_error(
            "The function memory size is larger than the maximum allowed for functions that are"
            f" triggered by a CloudFront event: {facts.memory_mb} Max allowed: {megabytes}"
            f" Function: {arn}"
        )
    if facts.trusted is not None and not set(PRINCIPALS) <= set(facts.trusted):
        raise lambda_error(
            "The function execution role must be assumable with edgelambda.amazonaws.com as well as"
            " lambda.amazonaws.com principals. Update the IAM role and try again. Role:"
            f" {facts.role}"
        )

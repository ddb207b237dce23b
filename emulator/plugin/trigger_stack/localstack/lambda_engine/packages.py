"""A function is made with fewer requests of LocalStack to itself.

What: ``LambdaService.can_assume_role`` asks nobody; ``S3Code._download_archive_to_file`` gets the
package with one request.
Why: STS says yes for every role. boto3's download asks for the size first, and starts threads for
parts of a package that mostly is a few kilobytes. Each request takes 4 ms of LocalStack's process,
and functions are made many at a time.
Until: LocalStack does so.
Test: ``tests/unit/plugin/test_packages.py``.
"""

from __future__ import annotations

import shutil
from typing import IO, Any

from localstack import config
from localstack.aws.connect import connect_to
from localstack.constants import AWS_REGION_US_EAST_1
from localstack.services.lambda_.invocation.lambda_models import S3Code
from localstack.services.lambda_.invocation.lambda_service import LambdaService


def can_assume_role(service: LambdaService, role_arn: str, region: str) -> bool:
    """Whether Lambda may act with a role: LocalStack's open release checks none."""
    del service, role_arn, region
    return True


def download(code: S3Code, target: IO[bytes]) -> None:
    """Write a package to a file."""
    clients: Any = connect_to(
        region_name=AWS_REGION_US_EAST_1, aws_access_key_id=config.INTERNAL_RESOURCE_ACCOUNT
    )
    version = {"VersionId": code.s3_object_version} if code.s3_object_version else {}
    answer = clients.s3.get_object(Bucket=code.s3_bucket, Key=code.s3_key, **version)
    shutil.copyfileobj(answer["Body"], target)
    target.flush()


def install() -> None:
    """Patch LocalStack. Idempotent."""
    LambdaService.can_assume_role = can_assume_role  # type: ignore[method-assign, assignment]  # the patch
    S3Code._download_archive_to_file = download  # type: ignore[method-assign, assignment]  # the patch

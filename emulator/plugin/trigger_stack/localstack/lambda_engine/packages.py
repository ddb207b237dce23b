"""A function is made with fewer requests of LocalStack to itself, and no process of its own.

What: ``LambdaService.can_assume_role`` asks nobody. ``lambda_service.connect_to`` gives a client of
S3 that stores a package with one request; ``S3Code._download_archive_to_file`` takes a small one
from memory, and another with one request; ``lambda_models.unzip`` unpacks a small one itself.
Why: STS says yes for every role. boto3's upload and download start threads for parts of a package
that mostly is a few kilobytes; LocalStack makes the bucket for each, fetches what it has just
stored, and starts ``unzip``. Each of that takes 2 to 5 ms, and functions are made many at a time.
Until: LocalStack does so.
Test: ``tests/unit/plugin/test_packages.py``.
"""

from __future__ import annotations

import shutil
import zipfile
from collections import OrderedDict
from typing import IO, Any, Final

from localstack import config
from localstack.aws.connect import connect_to
from localstack.constants import AWS_REGION_US_EAST_1
from localstack.services.lambda_.invocation import lambda_models, lambda_service
from localstack.services.lambda_.invocation.lambda_models import S3Code
from localstack.services.lambda_.invocation.lambda_service import LambdaService

#: A larger package, or one of more files, is left to S3 and to ``unzip``.
_SMALL_BYTES: Final = 256 * 1024
_FEW_FILES: Final = 50
#: How many packages are kept until their functions start.
_KEPT: Final = 64
_ENCRYPTED: Final = 1
_SYMLINK: Final = 0o120000

_waiting: Final[OrderedDict[str, bytes]] = OrderedDict()
_unzip: Final = lambda_models.unzip


def can_assume_role(service: LambdaService, role_arn: str, region: str) -> bool:
    """Whether Lambda may act with a role: LocalStack's open release checks none."""
    del service, role_arn, region
    return True


class Storage:
    """A client of S3 for LocalStack's own buckets, made when there is something to store."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def create_bucket(self, Bucket: str) -> None:  # noqa: N803  # as boto3 calls it
        """Leave it to the first upload."""

    def upload_fileobj(self, Fileobj: IO[bytes], Bucket: str, Key: str) -> None:  # noqa: N803  # as boto3 calls them
        """Store a package, and keep a small one until its function starts."""
        content = Fileobj.read()
        try:
            self._s3.put_object(Bucket=Bucket, Key=Key, Body=content)
        except self._s3.exceptions.NoSuchBucket:
            self._s3.create_bucket(Bucket=Bucket)
            self._s3.put_object(Bucket=Bucket, Key=Key, Body=content)
        if len(content) <= _SMALL_BYTES:
            _waiting[Key] = content
            while len(_waiting) > _KEPT:
                _waiting.popitem(last=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)


class _Clients:
    """LocalStack's clients, S3's replaced."""

    def __init__(self, clients: Any) -> None:
        self._clients = clients

    @property
    def s3(self) -> Storage:
        return Storage(self._clients.s3)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clients, name)


def _connect(*arguments: Any, **named: Any) -> _Clients:
    return _Clients(connect_to(*arguments, **named))


def download(code: S3Code, target: IO[bytes]) -> None:
    """Write a package to a file."""
    content = _waiting.pop(code.s3_key, None)
    if content is not None:
        target.write(content)
    else:
        clients: Any = connect_to(
            region_name=AWS_REGION_US_EAST_1, aws_access_key_id=config.INTERNAL_RESOURCE_ACCOUNT
        )
        version = {"VersionId": code.s3_object_version} if code.s3_object_version else {}
        answer = clients.s3.get_object(Bucket=code.s3_bucket, Key=code.s3_key, **version)
        shutil.copyfileobj(answer["Body"], target)
    target.flush()


def unpack(path: str, target_dir: str, overwrite: bool = True) -> Any:
    """Unpack a package; what is not plain, ``unzip`` knows better, and what is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            if _is_plain(archive.infolist()):
                archive.extractall(target_dir)
                return None
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):
        pass
    return _unzip(path, target_dir, overwrite)


def _is_plain(entries: list[zipfile.ZipInfo]) -> bool:
    """Whether it is a small package of files and folders alone."""
    return (
        len(entries) <= _FEW_FILES
        and sum(one.file_size for one in entries) <= _SMALL_BYTES
        and not any(
            one.flag_bits & _ENCRYPTED
            or one.external_attr >> 16 & _SYMLINK == _SYMLINK
            or "\\" in one.filename
            or not one.filename.isascii()
            for one in entries
        )
    )


def install() -> None:
    """Patch LocalStack. Idempotent."""
    LambdaService.can_assume_role = can_assume_role  # type: ignore[method-assign, assignment]  # the patch
    S3Code._download_archive_to_file = download  # type: ignore[method-assign, assignment]  # the patch
    lambda_service.connect_to = _connect  # type: ignore[assignment]  # the patch
    lambda_models.unzip = unpack  # the patch

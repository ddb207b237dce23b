"""A function is made with fewer requests of LocalStack to itself, and no process of its own.

What: ``LambdaService.can_assume_role`` asks nobody. ``lambda_service.connect_to`` gives a client of
S3 that stores a package with one request; ``S3Code._download_archive_to_file`` takes one that was
just stored from memory, and another with one request; ``lambda_models.unzip`` unpacks a small one
itself, and a large one is unpacked as soon as it is stored (``store_lambda_archive``).
Why: STS says yes for every role. boto3's upload and download start threads for parts of a package
that mostly is a few kilobytes; LocalStack makes the bucket for each, fetches what it has just
stored, and starts ``unzip``. Each of that takes 2 to 5 ms, and functions are made many at a time.
A layer is unpacked when its first function starts, and all others wait for that.
Until: LocalStack does so.
Test: ``tests/unit/plugin/test_packages.py``.
"""

from __future__ import annotations

import logging
import shutil
import threading
import zipfile
from collections import OrderedDict
from typing import IO, Any, Final

from localstack import config
from localstack.aws.connect import connect_to
from localstack.constants import AWS_REGION_US_EAST_1
from localstack.services.lambda_.invocation import lambda_models, lambda_service
from localstack.services.lambda_.invocation.lambda_models import S3Code
from localstack.services.lambda_.invocation.lambda_service import LambdaService

LOG = logging.getLogger(__name__)
#: A larger package, or one of more files, is left to ``unzip``.
_SMALL_BYTES: Final = 256 * 1024
_FEW_FILES: Final = 50
#: How much is kept in memory of packages that are not unpacked yet.
_KEPT_BYTES: Final = 64 * 1024 * 1024
_ENCRYPTED: Final = 1
_SYMLINK: Final = 0o120000

_waiting: Final[OrderedDict[str, bytes]] = OrderedDict()
_lock: Final = threading.Lock()
_unzip: Final = lambda_models.unzip
_store: Final = lambda_service.store_lambda_archive


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
        """Store a package, and keep it until it is unpacked."""
        content = Fileobj.read()
        try:
            self._s3.put_object(Bucket=Bucket, Key=Key, Body=content)
        except self._s3.exceptions.NoSuchBucket:
            self._s3.create_bucket(Bucket=Bucket)
            self._s3.put_object(Bucket=Bucket, Key=Key, Body=content)
        with _lock:
            _waiting[Key] = content
            while sum(map(len, _waiting.values())) > _KEPT_BYTES:
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


def store(archive_file: bytes, *arguments: Any, **named: Any) -> S3Code:
    """``store_lambda_archive``; begins to unpack a large package, as a layer mostly is."""
    code: S3Code = _store(archive_file, *arguments, **named)
    if code.code_size > _SMALL_BYTES:
        threading.Thread(target=_prepare, args=(code,), name="unpack", daemon=True).start()
    return code


def _prepare(code: S3Code) -> None:
    try:
        code.prepare_for_execution()
    except Exception:  # the function that needs it will say so
        LOG.debug("%s could not be unpacked", code.id, exc_info=True)


def download(code: S3Code, target: IO[bytes]) -> None:
    """Write a package to a file."""
    with _lock:
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
    from localstack.services.lambda_ import provider

    LambdaService.can_assume_role = can_assume_role  # type: ignore[method-assign, assignment]  # the patch
    S3Code._download_archive_to_file = download  # type: ignore[method-assign, assignment]  # the patch
    lambda_service.connect_to = _connect  # type: ignore[assignment]  # the patch
    lambda_models.unzip = unpack  # the patch
    lambda_service.store_lambda_archive = store  # the patch
    provider.store_lambda_archive = store  # the patch

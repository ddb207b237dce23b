"""S3 objects are kept in the emulator's own folder.

What: a provider ``s3:own_folder`` (LocalStack's extension point ``localstack.aws.provider``), the
default: its own provider with another folder for objects.
Why: LocalStack keeps objects in ``/tmp/localstack-s3-storage``: readable to all, shared by every
emulator of a machine, and left behind.
Until: the folder follows ``FILESYSTEM_ROOT``.
Test: ``tests/apigatewayv2/test_s3_storage.py``.
"""

from __future__ import annotations

from pathlib import Path

from localstack import config
from localstack.runtime.hooks import on_infra_start
from localstack.services.plugins import Service, aws_provider


@on_infra_start(priority=800)
def choose_own_folder() -> None:
    """Use this provider unless a setting names another one."""
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("s3", "own_folder")


@aws_provider(api="s3", name="own_folder")
def s3() -> Service:
    """LocalStack's provider with its objects in the emulator's folder."""
    from localstack.services.s3.provider import S3Provider
    from localstack.services.s3.storage.ephemeral import EphemeralS3ObjectStore

    folder = Path(config.dirs.tmp) / "s3-objects"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return Service.for_provider(S3Provider(storage_backend=EphemeralS3ObjectStore(str(folder))))

"""A function's package is fetched with one request, and LocalStack still takes more of them."""

from __future__ import annotations

import inspect
import io
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.services.lambda_.invocation.lambda_models import S3Code
from localstack.services.lambda_.invocation.lambda_service import LambdaService

from trigger_stack.localstack.lambda_engine import packages

#: As LocalStack has them, before anything is patched.
THEIR_DOWNLOAD = S3Code._download_archive_to_file
THEIR_ROLE = LambdaService.can_assume_role


@pytest.mark.parametrize(("version", "asked"), [(None, {}), ("v1", {"VersionId": "v1"})])
def test_a_package_is_fetched(
    monkeypatch: pytest.MonkeyPatch, version: str | None, asked: dict[str, str]
) -> None:
    requests: list[dict[str, Any]] = []

    def get_object(**request: Any) -> dict[str, Any]:
        requests.append(request)
        return {"Body": io.BytesIO(b"a package")}

    clients = SimpleNamespace(s3=SimpleNamespace(get_object=get_object))
    monkeypatch.setattr(packages, "connect_to", lambda **_: clients)
    target = io.BytesIO()

    packages.download(S3Code("id", "key", "tasks", "snapshots/f", version, "h", 9), target)

    assert target.getvalue() == b"a package"
    assert requests == [{"Bucket": "tasks", "Key": "snapshots/f", **asked}]


def test_localstack_still_downloads_in_parts() -> None:
    assert ".download_fileobj(" in inspect.getsource(THEIR_DOWNLOAD)


def test_localstack_still_asks_whether_a_role_can_be_assumed() -> None:
    assert ".assume_role(" in inspect.getsource(THEIR_ROLE)

"""A package is stored with one request and not fetched again; LocalStack takes more of both."""

from __future__ import annotations

import inspect
import io
import stat
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.services.lambda_.invocation import lambda_models, lambda_service
from localstack.services.lambda_.invocation.lambda_models import S3Code
from localstack.services.lambda_.invocation.lambda_service import LambdaService

from trigger_stack.localstack.lambda_engine import packages

#: As LocalStack has them, before anything is patched.
THEIR_DOWNLOAD = S3Code._download_archive_to_file
THEIR_ROLE = LambdaService.can_assume_role
THEIR_STORING = lambda_service.store_lambda_archive
THEIR_UNPACKING = inspect.getsource(lambda_models.unzip)


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


class Buckets:
    """S3, as far as it stores packages."""

    class exceptions:  # noqa: N801  # as boto3 calls it
        class NoSuchBucket(Exception): ...  # noqa: N818  # as S3 calls it

    def __init__(self) -> None:
        self.made: list[str] = []
        self.stored: dict[str, bytes] = {}

    def create_bucket(self, Bucket: str) -> None:  # noqa: N803
        self.made.append(Bucket)

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        if Bucket not in self.made:
            raise self.exceptions.NoSuchBucket
        self.stored[Key] = Body


def code_of(key: str) -> S3Code:
    return S3Code("id", "000000000000", "tasks", key, None, "h", 9)


def test_a_bucket_is_made_once_and_a_small_package_is_not_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buckets = Buckets()
    monkeypatch.setattr(packages, "connect_to", lambda *_, **__: SimpleNamespace(s3=buckets))
    for key in "ab":
        s3 = packages._connect(region_name="us-east-1").s3
        s3.create_bucket(Bucket="tasks")
        s3.upload_fileobj(Fileobj=io.BytesIO(key.encode()), Bucket="tasks", Key=key)

    target = io.BytesIO()
    packages.download(code_of("b"), target)

    assert buckets.made == ["tasks"]
    assert buckets.stored == {"a": b"a", "b": b"b"}
    assert target.getvalue() == b"b"
    with pytest.raises(AttributeError, match="get_object"):  # once only: then it is in S3
        packages.download(code_of("b"), target)


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = Buckets()
    storage = packages.Storage(buckets)
    monkeypatch.setattr(packages, "_KEPT_BYTES", 10)
    for name in ("first", "second", "third"):
        storage.upload_fileobj(io.BytesIO(name.encode()), "tasks", name)
    storage.upload_fileobj(io.BytesIO(bytes(11)), "tasks", "large")
    monkeypatch.setattr(packages, "connect_to", lambda **_: SimpleNamespace(s3=buckets))

    for name in ("first", "second", "third", "large"):
        with pytest.raises(AttributeError, match="get_object"):
            packages.download(code_of(name), io.BytesIO())


@pytest.mark.parametrize("size", [packages._SMALL_BYTES, packages._SMALL_BYTES + 1])
def test_a_large_package_is_unpacked_at_once(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    code = S3Code("id", "000000000000", "tasks", "key", None, "h", size)
    unpacked = threading.Event()
    monkeypatch.setattr(packages, "_store", lambda *_, **__: code)
    monkeypatch.setattr(S3Code, "prepare_for_execution", lambda _: unpacked.set())

    assert packages.store(b"a package", "name", region_name="us-east-1") is code

    assert unpacked.wait(10 if size > packages._SMALL_BYTES else 0.1) == (
        size > packages._SMALL_BYTES
    )


def pack(folder: Path, *entries: tuple[str | zipfile.ZipInfo, str]) -> str:
    file = folder / "package.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return str(file)


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_a_small_package_is_unpacked_without_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "_unzip", lambda *_: pytest.fail("unzip was started"))
    target = tmp_path / "target"
    target.mkdir()

    packages.unpack(
        pack(tmp_path, ("app.py", "1"), ("own/of.py", "2"), ("empty/", "")), str(target)
    )

    assert (target / "app.py").read_text() == "1"
    assert (target / "own/of.py").read_text() == "2"
    assert (target / "empty").is_dir()


@pytest.mark.parametrize(
    "entries",
    [
        [(link("app.py"), "other.py")],
        [("own\\of.py", "")],
        [("größe.py", "")],
        [("app.py", "x" * (packages._SMALL_BYTES + 1))],
        [(f"{number}.py", "") for number in range(packages._FEW_FILES + 1)],
    ],
    ids=["link", "backslash", "name", "large", "many"],
)
def test_what_is_not_plain_is_left_to_unzip(
    tmp_path: Path, entries: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[tuple[Any, ...]] = []
    monkeypatch.setattr(packages, "_unzip", lambda *arguments: left.append(arguments))
    path = pack(tmp_path, *entries)

    packages.unpack(path, str(tmp_path))

    assert left == [(path, str(tmp_path), True)]


def test_what_is_damaged_is_left_to_unzip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []
    monkeypatch.setattr(packages, "_unzip", lambda path, *_: left.append(path))
    path = pack(tmp_path, ("app.py", "content"))
    Path(path).write_bytes(Path(path).read_bytes().replace(b"content", b"another"))
    other = tmp_path / "nothing.zip"
    other.write_bytes(b"")

    packages.unpack(path, str(tmp_path))
    packages.unpack(str(other), str(tmp_path))

    assert left == [path, str(other)]


def test_localstack_still_makes_the_bucket_for_each_package() -> None:
    source = inspect.getsource(THEIR_STORING)
    assert ".create_bucket(" in source
    assert ".upload_fileobj(" in source


def test_localstack_still_starts_a_process_to_unpack() -> None:
    assert '["unzip"]' in THEIR_UNPACKING


def test_localstack_still_downloads_in_parts() -> None:
    assert ".download_fileobj(" in inspect.getsource(THEIR_DOWNLOAD)


def test_localstack_still_asks_whether_a_role_can_be_assumed() -> None:
    assert ".assume_role(" in inspect.getsource(THEIR_ROLE)

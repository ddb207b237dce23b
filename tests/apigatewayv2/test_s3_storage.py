"""Where an emulator keeps objects."""

from __future__ import annotations

import stat

from tests.apigatewayv2.http_api_emulator import Emulator


def test_objects_lie_in_the_emulators_own_folder(emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="where")
    content = b"content of one emulator" * 100_000  # beyond what is kept in memory
    s3.put_object(Bucket="where", Key="file", Body=content)

    (folder,) = emulator.folder.rglob("s3-objects")

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()), "a folder for the bucket; the file in it has no name"
    assert s3.get_object(Bucket="where", Key="file")["Body"].read() == content

"""Set-up with VISION=0: an error that says what to do, and never an invented label."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rekognition.emulator_process import Emulator, start_emulator

PIXEL = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def without_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("without")
    running = start_emulator(folder, models=folder / "nothing")
    yield running
    running.stop()


@pytest.mark.parametrize("operation", ["detect_labels", "detect_text"])
def test_the_error_says_how_to_install_it(without_models: Emulator, operation: str) -> None:
    client = without_models.client("rekognition")
    with pytest.raises(client.exceptions.ResourceNotReadyException, match="make vision"):
        getattr(client, operation)(Image={"Bytes": PIXEL})
    assert without_models.workers() == []

"""Set-up with VISION=0: an error that says what to do, and never an invented label."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.rekognition.emulator_process import Emulator

if TYPE_CHECKING:
    from pathlib import Path

PIXEL = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("operation", ["detect_labels", "detect_text"])
def test_the_error_says_how_to_install_it(
    own_emulator: Callable[..., Emulator], tmp_path: Path, operation: str
) -> None:
    emulator = own_emulator(models=tmp_path / "nothing")
    client = emulator.client("rekognition")
    with pytest.raises(client.exceptions.ResourceNotReadyException, match="make vision"):
        getattr(client, operation)(Image={"Bytes": PIXEL})
    assert emulator.workers() == []

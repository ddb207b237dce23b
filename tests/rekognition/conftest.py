"""Fixtures of the tests of Rekognition: one LocalStack for all, a bucket of each test's own."""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.rekognition.emulator_process import MODELS, Emulator, start_emulator

if TYPE_CHECKING:
    from pathlib import Path

# Set-up with VISION=0 leaves the vision part out on purpose; only what happens without it can be
# tested then.
INSTALLED = importlib.util.find_spec("onnxruntime") is not None and MODELS.is_dir()
collect_ignore_glob = (
    []
    if INSTALLED
    else [
        "test_detect_*.py",
        "test_rekognition_limits.py",
        "test_vision_*.py",
    ]
)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = start_emulator(tmp_path_factory.mktemp("localstack"))
    yield running
    running.stop()


@pytest.fixture
def own_emulator(tmp_path: Path) -> Iterator[Callable[..., Emulator]]:
    """Start a LocalStack that the test may kill."""
    started: list[Emulator] = []

    def start(**options: Any) -> Emulator:
        started.append(start_emulator(tmp_path, **options))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def rekognition(emulator: Emulator) -> Any:
    return emulator.client("rekognition")


@pytest.fixture(scope="session")
def s3(emulator: Emulator) -> Any:
    return emulator.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"pictures-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def error_code() -> Callable[..., str]:
    """The code of the error that a call is answered with."""

    def call(operation: Callable[..., Any], **parameters: Any) -> str:
        with pytest.raises(operation.__self__.exceptions.ClientError) as refused:  # type: ignore[attr-defined]  # a client's bound method
            operation(**parameters)
        code: str = refused.value.response["Error"]["Code"]
        return code

    return call

"""The emulators that tests share, and which tests stay together in one worker."""

from __future__ import annotations

import gc
import os
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.emulator import clock_stack, own_stack, stack

__all__ = ["clock_stack", "own_stack", "stack"]

HERE = Path(__file__).parent

# What tests import of LocalStack finds its index of AWS's APIs, which set-up has built: to build
# one takes each worker six seconds.
os.environ.setdefault("OVERRIDE_IN_DOCKER", "0")
os.environ.setdefault("FILESYSTEM_ROOT", str(HERE.parent / ".build/localstack"))

# A slow machine is no reason to fail.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# What is imported and collected stays until the end: to look through it for garbage is for nothing.
gc.disable()

#: Suites that start an emulator of their own: one worker each, so that there is one emulator each.
#: Those of the engine and of delivery share one emulator in each worker, for they take longest.
OWN_EMULATOR = ("apigatewayv2", "docker", "osls", "rekognition")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for path, of_file in groupby(items, lambda item: item.path):  # each worker reads 7000 items
        folder = path.relative_to(HERE).parts[0] if path.is_relative_to(HERE) else ""
        if folder in OWN_EMULATOR:
            for item in of_file:
                item.add_marker(pytest.mark.xdist_group(folder))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()

"""A user pool for each test."""

from __future__ import annotations

import pytest
from user_pool_fakes import Stack


@pytest.fixture
def stack() -> Stack:
    return Stack()

"""Code in processes of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fresh import Fresh


@pytest.fixture(scope="session")
def fresh() -> Iterator[Fresh]:
    made = Fresh()
    yield made
    made.close()


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker has the process that is forked: to make it takes longer than most of the tests."""
    for item in items:
        if "fresh" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("fresh"))

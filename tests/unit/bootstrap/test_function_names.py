"""A function's name that Lambda refuses is said by the check, not by a run."""

from __future__ import annotations

from bootstrap.checks import check
from tests.unit.bootstrap.conftest import FUNCTION, Project


def test_a_made_name_of_more_than_64_characters_is_refused(project: Project) -> None:
    longest = "a" * (64 - len("shop-test-"))

    check(project.compile(FUNCTION.replace("greet", longest)))
    error = project.refused(FUNCTION.replace("greet", f"{longest}a"))

    assert "FunctionName must have 64 characters or fewer, not 65" in str(error)
    assert error.line == 7

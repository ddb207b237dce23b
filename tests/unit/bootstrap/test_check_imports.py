"""What replaces a slow import says the same as what it replaces."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import botocore.loaders
import pytest
import tenacity
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wcmatch import glob

from bootstrap.definition.events.s3 import known_s3_events
from bootstrap.definition.model import known_runtimes
from bootstrap.packaging import picks
from bootstrap.services.api_models import enumeration
from bootstrap.services.waiting import until_true

FLAGS = glob.GLOBSTAR | glob.DOTGLOB | glob.BRACE | glob.EXTGLOB
NAMES = st.lists(
    st.sampled_from(["a", "b", "ab", "a.py", ".git", "__pycache__", "a-b"]), min_size=1, max_size=4
).map("/".join)
PATTERNS = st.lists(
    st.sampled_from(["a", "b", "ab", "a.py", "*.py", "*", "**", ".git", "__pycache__", ".", "a?"]),
    min_size=1,
    max_size=4,
).map("/".join)


@settings(max_examples=400, deadline=None, database=None)
@given(NAMES, PATTERNS)
@example("a", "a/**")
@example("a/b", "a/**")
@example("ab/b", "a/**")
@example("a/__pycache__/b", "**/__pycache__/**")
@example("a/__pycache__", "**/__pycache__/**")
@example("__pycache__/a", "**/__pycache__/**")
@example("a/b", "./a/b")
@example("a/b", "a//b")
def test_a_pattern_picks_what_wcmatch_says(name: str, pattern: str) -> None:
    # The framework's globby, unlike wcmatch, takes “./a” for “a”.
    plain = re.sub(r"^(\./)+", "", pattern)

    assert picks(name, ["!**", pattern]) is bool(glob.globmatch(name, plain, flags=FLAGS))


@pytest.mark.parametrize(("service", "shape"), [("lambda", "Runtime"), ("s3", "Event")])
def test_an_enumeration_is_what_the_sdk_has(service: str, shape: str) -> None:
    model = botocore.loaders.Loader().load_service_model(service, "service-2")

    assert enumeration(service, shape) == tuple(model["shapes"][shape]["enum"])


def test_enumerations_that_are_used() -> None:
    assert {"python3.13", "nodejs22.x", "provided.al2023"} <= set(known_runtimes())
    assert "s3:ObjectCreated:*" in known_s3_events()


def test_an_enumeration_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        enumeration("no-such-service", "Runtime")
    with pytest.raises(KeyError):
        enumeration("lambda", "NoSuchShape")


def test_waiting_ends_with_the_first_true_result() -> None:
    answers = iter([None, "", {"State": "Active"}])

    assert until_true(5)(lambda: next(answers))() == {"State": "Active"}


def test_waiting_ends_when_the_time_is_over() -> None:
    with pytest.raises(tenacity.RetryError):
        until_true(0.01)(lambda: None)()


#: Each of them takes longer to import than all rules take to run, and `check` needs none.
HEAVY = [
    *("asyncio", "boto3", "botocore", "concurrent.futures", "cryptography", "http.client"),
    *("jsonschema", "localstack", "moto", "psutil", "pygments", "requests", "rich", "ruamel"),
    *("s3transfer", "ssl", "tenacity", "urllib3", "wcmatch", "xml"),
]


def test_check_imports_nothing_that_is_slow_to_import_and_that_it_does_not_need() -> None:
    code = (
        "import sys; from bootstrap.cli import main; sys.argv = ['bootstrap', 'check']\n"
        "try: main()\n"
        "except SystemExit: print('imported:', *sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )

    said, _, imported = done.stdout.partition("imported: ")
    assert " resources" in said
    assert not [name for name in HEAVY if name in imported.split()]

"""What is run in a fork is as if ``python -c`` had run it: :mod:`tests.support.fresh`."""

from __future__ import annotations

import pytest

from tests.support.fresh import Fresh


def test_what_it_prints_and_its_arguments(fresh: Fresh) -> None:
    code = "import os, sys; print(sys.argv, dict(os.environ)); print('bad', file=sys.stderr)"

    done = fresh.run(code, "a b", env={"ONE": "1"})

    assert done.stdout == "['-c', 'a b'] {'ONE': '1'}\n"
    assert (done.returncode, done.stderr) == (0, "bad\n")


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("assert 1 == 2, 'no'", 1, "AssertionError: no\n"),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('wrong')", 1, "wrong\n"),
        ("import os; os.abort()", -6, ""),
        ("def f(): return g()\ndef g(): return 7\nraise SystemExit(f())", 7, ""),
    ],
)
def test_how_it_ends(fresh: Fresh, code: str, status: int, said: str) -> None:
    done = fresh.run(code)

    assert (done.returncode, done.stderr.endswith(said)) == (status, True), done.stderr


def test_it_ends_in_time(fresh: Fresh) -> None:
    assert fresh.run("import time; time.sleep(60)", timeout=1).returncode < 0


def test_no_fork_sees_what_another_changed(fresh: Fresh) -> None:
    fresh.run("import boto3; boto3.changed = 1")

    done = fresh.run("import boto3, __main__; print(hasattr(boto3, 'changed'), dir(__main__))")

    assert done.stdout.startswith("False ")
    assert "Fresh" not in done.stdout

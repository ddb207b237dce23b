"""The address of a function's code is signed as LocalStack signs it, by one client."""

from __future__ import annotations

import inspect
import itertools
from urllib.parse import parse_qs, urlsplit

import pytest
from localstack.services.lambda_.invocation.lambda_models import S3Code

from trigger_stack.localstack.lambda_engine import code_urls

_NUMBERS = itertools.count()
THEIRS = S3Code.generate_presigned_url


@pytest.mark.parametrize("version", [None, "v1"])
def test_the_url_is_localstacks(version: str | None) -> None:
    code = S3Code(
        f"code-{next(_NUMBERS)}", "key", "awslambda-tasks", "snapshots/f", version, "h", 1
    )

    ours = urlsplit(code_urls.generate_presigned_url(code, "http://localhost:4566"))
    theirs = urlsplit(THEIRS(code, "http://localhost:4566"))

    assert ours[:3] == theirs[:3]
    query, same = parse_qs(ours.query), parse_qs(theirs.query)
    for of_its_time in ("Signature", "Expires"):
        assert query.pop(of_its_time) and same.pop(of_its_time)
    assert query == same


def test_localstack_still_makes_a_client_each_time() -> None:
    assert "boto3.client(" in inspect.getsource(THEIRS)

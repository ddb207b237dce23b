"""The served OpenAPI document is true of the running API: schemathesis sends what it allows.

Two tests, for other tests have brands on the same stack. What is valid goes to brands of the test's
own; what is not is sent as the document allows any brand, and must change nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate
from schemathesis.checks import CheckFunction, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import GenerationMode

#: Requests of one operation and test, beside those that schemathesis always sends.
EXAMPLES = 15
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def document(api: str, aws: Any) -> dict[str, Any]:
    """The document, as the API serves it."""
    answer = requests.get(f"{api}/openapi.json", timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def schema_of(document: dict[str, Any], api: str, mode: GenerationMode) -> Any:
    """The document, to generate requests from: valid ones, or such that are not."""
    generation = {"mode": str(mode.value), "max-examples": EXAMPLES}
    config = SchemathesisConfig.from_dict(
        {
            "base-url": api,
            "generation": generation,
            "phases": {"coverage": {"unexpected-methods": []}},
            "checks": {
                # A condition that does not hold is a valid request.
                "positive_data_acceptance": {
                    "expected-statuses": ["2xx", "304", "404", "409", "412"]
                },
                "negative_data_rejection": {"expected-statuses": ["4xx"]},
            },
        }
    )
    return schemathesis.openapi.from_dict(document, config=config)


@pytest.fixture
def of_own_brands(
    document: dict[str, Any],
    api: str,
    brand_id: str,
    brand_body: dict[str, Any],
    put_brand: Callable[..., requests.Response],
    cleanup: ExitStack,
) -> Any:
    """The API with two brands, of this test alone."""
    own = copy.deepcopy(document)
    ids = [brand_id, f"{brand_id}-other"]
    own["paths"]["/brand/{brandId}"]["parameters"][0]["schema"] = {"enum": ids}
    for one in ids:
        cleanup.callback(requests.delete, f"{api}/brand/{one}", timeout=30)
        assert put_brand(one, brand_body).status_code == 201
    return schema_of(own, api, GenerationMode.POSITIVE)


@pytest.fixture
def of_any_brand(document: dict[str, Any], api: str) -> Any:
    """The API as it is."""
    return schema_of(document, api, GenerationMode.NEGATIVE)


def checks_but(*names: str) -> list[CheckFunction]:
    load_all_checks()
    return [check for check in schemathesis.checks.CHECKS.get_all() if check.__name__ not in names]


def test_the_served_document_is_valid(document):
    validate(document)
    assert document["openapi"].startswith("3.1")


@pytest.mark.long
@schemathesis.pytest.from_fixture("of_own_brands").parametrize()
@BOUNDED
def test_what_the_document_allows_is_answered_as_it_says(case):
    # No schema can say which texts are cursors: the API knows its own alone.
    opaque = {"positive_data_acceptance"} if "cursor" in (case.query or {}) else set()
    case.call_and_validate(timeout=30, checks=checks_but(*opaque))


@pytest.mark.long
@schemathesis.pytest.from_fixture("of_any_brand").parametrize()
@BOUNDED
def test_what_the_document_does_not_allow_is_refused_as_it_says(case):
    case.call_and_validate(timeout=30, checks=checks_but())

"""What AWS's model of a service says of a request, in AWS's words."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.model import ServiceModel

from trigger_stack.services.constraints import violations

MODEL = ServiceModel(
    {
        "metadata": {},
        "shapes": {
            "Request": {
                "type": "structure",
                "required": ["Name"],
                "members": {
                    "Name": {"shape": "Name"},
                    "Count": {"shape": "Count"},
                    "Kind": {"shape": "Kind"},
                    "Names": {"shape": "Names"},
                    "Weights": {"shape": "Weights"},
                    "Hidden": {"shape": "Hidden"},
                    "Inner": {"shape": "Inner"},
                    "Inners": {"shape": "Inners"},
                },
            },
            "Name": {"type": "string", "min": 2, "max": 4, "pattern": "[a-z]+"},
            "Count": {"type": "integer", "min": 1, "max": 9},
            "Kind": {"type": "string", "enum": ["A", "B"]},
            "Names": {"type": "list", "max": 2, "member": {"shape": "Name"}},
            "Weight": {"type": "double", "min": 0.0, "max": 1.0},
            "Weights": {
                "type": "map",
                "key": {"shape": "Name"},
                "value": {"shape": "Weight"},
            },
            "Hidden": {"type": "string", "max": 3, "sensitive": True},
            "Inner": {"type": "structure", "members": {"Count": {"shape": "Count"}}},
            "Inners": {"type": "list", "member": {"shape": "Inner"}},
        },
    }
)
REQUEST = MODEL.shape_for("Request")
NAME = (
    "Member must have length less than or equal to 4, Member must have length greater than or equal"
    " to 2, Member must satisfy regular expression pattern: [a-z]+"
)


@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({"Name": None}, "Value null at 'name' {} Member must not be null"),
        (
            {"Name": "abcde"},
            "Value 'abcde' at 'name' {} Member must have length less than or equal to 4",
        ),
        ({"Count": 0}, "Value '0' at 'count' {} Member must have value greater than or equal to 1"),
        ({"Kind": "C"}, "Value 'C' at 'kind' {} Member must satisfy enum value set: [A, B]"),
        (
            {"Names": ["ab", "A"]},
            f"Value '[ab, A]' at 'names' {{}} Member must satisfy constraint: [{NAME}, Member must"
            " not be null]",
        ),
        (
            {"Names": ["ab"] * 3},
            "Value '[ab, ab, ab]' at 'names' {} Member must have length less than or equal to 2",
        ),
        (
            {"Weights": {"ab": 1.5}},
            "Value '{{ab=1.5}}' at 'weights' {} Map values must satisfy constraint: [Member must"
            " have value less than or equal to 1.0, Member must have value greater than or equal to"
            " 0.0]",
        ),
        (
            {"Weights": {"A": 0.5}},
            f"Value '{{{{A=0.5}}}}' at 'weights' {{}} Map keys must satisfy constraint: [{NAME}]",
        ),
        (
            {"Hidden": "secret"},
            "Value at 'hidden' {} Member must have length less than or equal to 3",
        ),
        (
            {"Inner": {"Count": 10}},
            "Value '10' at 'inner.count' {} Member must have value less than or equal to 9",
        ),
        (
            {"Inners": [{}, {"Count": 10}]},
            "Value '10' at 'inners.2.member.count' {} Member must have value less than or equal to"
            " 9",
        ),
    ],
)
def test_a_finding_is_worded_as_by_aws(changed: dict[str, Any], finding: str) -> None:
    expected = finding.format("failed to satisfy constraint:")
    found = violations(REQUEST, {"Name": "abc", **changed})
    assert found == f"1 validation error detected: {expected}"


def test_what_fits_the_model_has_no_finding() -> None:
    request = {"Name": "abc", "Count": 9, "Kind": "A", "Names": ["ab"], "Weights": {"ab": 1.0}}
    assert violations(REQUEST, request) is None


def test_of_a_member_that_is_skipped_only_its_absence_counts() -> None:
    assert violations(REQUEST, {"Name": "A"}, frozenset({"Name"})) is None
    assert "must not be null" in (violations(REQUEST, {}, frozenset({"Name"})) or "")


def test_several_findings_are_one_sentence() -> None:
    found = violations(REQUEST, {"Name": "abc", "Count": 0, "Kind": "C"})
    assert found is not None
    assert found.startswith("2 validation errors detected: Value '0' at 'count'")
    assert "; Value 'C' at 'kind'" in found

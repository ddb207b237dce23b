"""Bucket names (Amazon S3, "General purpose bucket naming rules")."""

from __future__ import annotations

import pytest
from conftest import FUNCTION, PROVIDER, Project

from bootstrap.definition.events.s3 import bucket_name_problem


@pytest.mark.parametrize(
    "name",
    ["abc", "a" * 63, "brand-assets-bucket", "1a2", "a.b.c", "my.bucket-1", "a-.b", "1.2.3.4.5"],
)
def test_accepted(name: str) -> None:
    assert bucket_name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "3 to 63 characters"),
        ("ab", "3 to 63 characters"),
        ("a" * 64, "3 to 63 characters"),
        ("Brand-assets", "lower-case letters"),
        ("brand_assets", "lower-case letters"),
        ("brand assets", "lower-case letters"),
        ("-brand", "begin and end with a letter or digit"),
        ("brand-", "begin and end with a letter or digit"),
        (".brand", "begin and end with a letter or digit"),
        ("brand.", "begin and end with a letter or digit"),
        ("br\u00e4nd", "lower-case letters"),
        ("br\u0661nd", "lower-case letters"),
        ("brand\n", "lower-case letters"),
        ("bra/nd", "lower-case letters"),
        ("a..b", "two dots in a row"),
        ("192.168.5.4", "IP address"),
        ("xn--brand", "begins with a prefix that S3 reserves"),
        ("sthree-brand", "begins with a prefix that S3 reserves"),
        ("amzn-s3-demo-brand", "begins with a prefix that S3 reserves"),
        ("brand-s3alias", "ends with a suffix that S3 reserves"),
        ("brand--ol-s3", "ends with a suffix that S3 reserves"),
        ("brand.mrap", "ends with a suffix that S3 reserves"),
        ("brand--x-s3", "ends with a suffix that S3 reserves"),
        ("brand--table-s3", "ends with a suffix that S3 reserves"),
    ],
)
def test_refused(name: str, said: str) -> None:
    assert said in (bucket_name_problem(name) or "accepted")


def test_the_line_of_a_name_in_the_provider(project: Project) -> None:
    events = "    events:\n      - s3: uploads\n"
    error = project.refused(
        FUNCTION.replace("functions:", "  s3:\n    uploads:\n      name: My_Bucket\nfunctions:")
        + events
    )

    assert error.line == 8
    assert error.message.startswith("the bucket name “My_Bucket” may have lower-case letters")


def test_the_line_of_a_name_in_an_event(project: Project) -> None:
    error = project.refused(FUNCTION + "    events:\n      - s3:\n          bucket: UPLOADS\n")

    assert error.line == 11
    assert "the bucket name “UPLOADS”" in error.message


def test_a_bucket_of_the_resources_follows_the_same_rules(project: Project) -> None:
    error = project.refused(
        PROVIDER + "resources:\n  Resources:\n    B:\n      Type: AWS::S3::Bucket\n"
        "      Properties:\n        BucketName: My_Bucket\n"
    )

    assert error.line == 11
    assert "the bucket name “My_Bucket”" in error.message

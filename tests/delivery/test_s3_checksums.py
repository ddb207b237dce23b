"""An object is stored whether or not its client made a checksum, and S3 makes the other ones."""

from __future__ import annotations

import secrets

import pytest
import requests

from tests.engine.lambda_stack import Stack


@pytest.fixture
def bucket(stack: Stack) -> str:
    name = f"b-{secrets.token_hex(6)}"
    stack.client("s3").create_bucket(Bucket=name)
    return name


def test_an_upload_without_a_checksum_gets_one_of_s3s(stack: Stack, bucket: str) -> None:
    """As from ``curl -T``. AWS topic: "Checking object integrity in Amazon S3"."""
    put = requests.put(f"http://127.0.0.1:{stack.port}/{bucket}/a.txt", data=b"hello", timeout=30)

    assert put.status_code == 200, put.text
    found = stack.client("s3").get_object(Bucket=bucket, Key="a.txt", ChecksumMode="ENABLED")
    assert found["Body"].read() == b"hello"
    assert found["ChecksumCRC64NVME"] == "M3eFcAZSQlc="


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_each_checksum_of_a_client_is_checked_and_kept(
    stack: Stack, bucket: str, algorithm: str
) -> None:
    s3 = stack.client("s3")

    made = s3.put_object(Bucket=bucket, Key="a", Body=b"hello", ChecksumAlgorithm=algorithm)

    found = s3.get_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert found["Body"].read() == b"hello"
    assert found[f"Checksum{algorithm}"] == made[f"Checksum{algorithm}"]

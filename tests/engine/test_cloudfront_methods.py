"""Methods that a bucket takes, and those it does not, behind a distribution."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest
import requests

from tests.engine.lambda_stack import Stack, start_stack

CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("methods") / "state"
    running = start_stack(folder, SERVICES="cloudfront,lambda,logs,s3,sts,iam,cloudwatch")
    yield running
    running.stop()


class Distribution:
    """A distribution of one bucket that takes every method."""

    def __init__(self, stack: Stack, *, website: bool = False) -> None:
        self._stack = stack
        self.bucket = f"methods-{secrets.token_hex(6)}"
        s3, cloudfront = stack.client("s3"), stack.client("cloudfront")
        s3.create_bucket(Bucket=self.bucket)
        origin = self._website() if website else self._bucket()
        made = cloudfront.create_distribution(
            DistributionConfig={
                "CallerReference": secrets.token_hex(8),
                "Comment": "",
                "Enabled": True,
                "Origins": {"Quantity": 1, "Items": [{"Id": "o", **origin}]},
                "DefaultCacheBehavior": {
                    "TargetOriginId": "o",
                    "ViewerProtocolPolicy": "allow-all",
                    "CachePolicyId": CACHING_OPTIMIZED,
                    "AllowedMethods": {"Quantity": len(METHODS), "Items": METHODS},
                },
            }
        )["Distribution"]
        self._domain = made["DomainName"]
        s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(self._policy()))

    def _bucket(self) -> dict[str, object]:
        control = self._stack.client("cloudfront").create_origin_access_control(
            OriginAccessControlConfig={
                "Name": self.bucket,
                "SigningProtocol": "sigv4",
                "SigningBehavior": "always",
                "OriginAccessControlOriginType": "s3",
            }
        )["OriginAccessControl"]
        return {
            "DomainName": f"{self.bucket}.s3.us-east-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "OriginAccessControlId": control["Id"],
        }

    def _website(self) -> dict[str, object]:
        self._stack.client("s3").put_bucket_website(
            Bucket=self.bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}}
        )
        return {
            "DomainName": f"{self.bucket}.s3-website-us-east-1.amazonaws.com",
            "CustomOriginConfig": {
                "HTTPPort": 80,
                "HTTPSPort": 443,
                "OriginProtocolPolicy": "http-only",
            },
        }

    def _policy(self) -> dict[str, object]:
        everything = [f"arn:aws:s3:::{self.bucket}", f"arn:aws:s3:::{self.bucket}/*"]
        allowed = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": everything}
        return {"Version": "2012-10-17", "Statement": [allowed]}

    def __call__(self, method: str, path: str, body: bytes = b"") -> requests.Response:
        url = f"http://127.0.0.1:{self._stack.http_port}{path}"
        return requests.request(method, url, data=body, headers={"Host": self._domain}, timeout=30)


def test_objects_are_stored_and_deleted_by_a_distribution(stack: Stack) -> None:
    ask = Distribution(stack)

    assert ask("PUT", "/a.txt", b"hello").status_code == 200
    assert ask("GET", "/a.txt").text == "hello"
    assert ask("DELETE", "/a.txt").status_code == 204
    found = stack.client("s3").list_objects_v2(Bucket=ask.bucket)
    assert found["KeyCount"] == 0


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_method_that_no_object_has_is_405(stack: Stack, method: str) -> None:
    answer = Distribution(stack)(method, "/a.txt", b"x")

    assert answer.status_code == 405
    assert "<Code>MethodNotAllowed</Code>" in answer.text
    assert f"<Method>{method}</Method>" in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_website_is_only_read(stack: Stack, method: str) -> None:
    ask = Distribution(stack, website=True)
    stack.client("s3").put_object(Bucket=ask.bucket, Key="index.html", Body=b"home")

    answer = ask(method, "/index.html", b"x")

    assert (answer.status_code, "MethodNotAllowed" in answer.text) == (405, True)
    assert ask("GET", "/").text == "home"

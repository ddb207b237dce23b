"""CloudFront's control plane: an invalidation can be made, read back and repeated."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from localstack.aws.api import CommonServiceException
from localstack.aws.forwarder import create_aws_request_context
from localstack.aws.spec import load_service
from moto.core import DEFAULT_ACCOUNT_ID

from trigger_stack.localstack.cloudfront import create_service
from trigger_stack.services.cloudfront.invalidations import COMPLETED, kept_paths


@pytest.mark.parametrize(
    ("kept", "paths"),
    [
        ({"Quantity": "1", "Items": {"Path": "/a"}}, ["/a"]),
        ({"Quantity": "2", "Items": {"Path": ["/a", "/b"]}}, ["/a", "/b"]),
        ({"Quantity": "0"}, []),
        ({"Items": ["/a"]}, ["/a"]),
        (["/a", "/b"], ["/a", "/b"]),
        ([], []),
    ],
)
def test_paths_as_moto_keeps_them(kept: Any, paths: list[str]) -> None:
    assert kept_paths(kept) == paths


class CloudFront:
    """The plugin's CloudFront service, called as LocalStack's gateway calls it."""

    def __init__(self) -> None:
        self.table = create_service().skeleton.dispatch_table

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        model = load_service("cloudfront")
        context = create_aws_request_context(
            service_name="cloudfront",
            action=operation,
            protocol=model.protocol,
            parameters=parameters,
            region="us-east-1",
        )
        context.account_id = DEFAULT_ACCOUNT_ID  # of unsigned requests, in moto
        context.partition = "aws"
        answer: dict[str, Any] = self.table[operation](context, parameters)
        return answer


@pytest.fixture(scope="module")
def cloudfront() -> CloudFront:
    return CloudFront()


@pytest.fixture
def distribution(cloudfront: CloudFront) -> str:
    made = cloudfront(
        "CreateDistribution",
        DistributionConfig={
            "CallerReference": uuid.uuid4().hex,
            "Comment": "assets",
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "o",
                        "DomainName": "b.s3.amazonaws.com",
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
        },
    )
    return str(made["Distribution"]["Id"])


def batch(reference: str, *paths: str) -> dict[str, Any]:
    return {"CallerReference": reference, "Paths": {"Quantity": len(paths), "Items": list(paths)}}


def test_an_invalidation_can_be_read_back_and_is_completed(
    cloudfront: CloudFront, distribution: str
) -> None:
    made = cloudfront(
        "CreateInvalidation",
        DistributionId=distribution,
        InvalidationBatch=batch("one", "/logos/a/*", "/logos/b/*"),
    )["Invalidation"]

    read = cloudfront("GetInvalidation", DistributionId=distribution, Id=made["Id"])["Invalidation"]
    assert made["Status"] == read["Status"] == COMPLETED
    assert read["InvalidationBatch"]["Paths"]["Items"] == ["/logos/a/*", "/logos/b/*"]


def test_the_same_call_again_is_the_same_invalidation(
    cloudfront: CloudFront, distribution: str
) -> None:
    answers = [
        cloudfront(
            "CreateInvalidation",
            DistributionId=distribution,
            InvalidationBatch=batch("same", *paths),
        )["Invalidation"]
        for paths in (("/a", "/b"), ("/a", "/b"), ("/b", "/a"))
    ]

    assert len({answer["Id"] for answer in answers}) == 1
    assert {answer["Status"] for answer in answers} == {COMPLETED}
    listed = cloudfront("ListInvalidations", DistributionId=distribution)["InvalidationList"]
    assert listed["Quantity"] == 1


def test_the_same_reference_for_other_paths_is_refused(
    cloudfront: CloudFront, distribution: str
) -> None:
    def invalidate(path: str) -> None:
        cloudfront(
            "CreateInvalidation",
            DistributionId=distribution,
            InvalidationBatch=batch("reused", path),
        )

    invalidate("/a")
    with pytest.raises(CommonServiceException, match="caller reference") as caught:
        invalidate("/b")
    assert (caught.value.code, caught.value.status_code) == ("InvalidArgument", 400)


def test_a_distribution_that_is_not_there(cloudfront: CloudFront) -> None:
    with pytest.raises(Exception, match=r"NoSuchDistribution|does not exist"):
        cloudfront(
            "CreateInvalidation", DistributionId="EDOESNOTEXIST", InvalidationBatch=batch("x", "/a")
        )


def test_other_operations_are_motos(cloudfront: CloudFront, distribution: str) -> None:
    found = cloudfront("GetDistribution", Id=distribution)
    listed = cloudfront("ListDistributions")["DistributionList"]

    assert found["Distribution"]["DistributionConfig"]["Comment"] == "assets"
    assert distribution in {item["Id"] for item in listed["Items"]}


def test_an_operation_that_moto_lacks_is_refused(cloudfront: CloudFront) -> None:
    with pytest.raises(NotImplementedError, match="cloudfront on path /2020-05-31/cache-policy"):
        cloudfront("ListCachePolicies")

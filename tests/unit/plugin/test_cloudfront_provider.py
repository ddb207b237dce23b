"""CloudFront's control plane: distributions, policies and invalidations, and what is refused."""

from __future__ import annotations

import copy
import json
import uuid
from typing import Any

import pytest

from trigger_stack.services.apigatewayv2.settings import InvalidSettingError
from trigger_stack.services.cloudfront.bucket_access import Asker, may
from trigger_stack.services.cloudfront.control_plane import COMPLETED, ControlPlane
from trigger_stack.services.cloudfront.edge_functions import FunctionFacts
from trigger_stack.services.cloudfront.managed import CACHE, ORIGIN_REQUEST, RESPONSE_HEADERS
from trigger_stack.services.cloudfront.models import Account, Accounts
from trigger_stack.services.cloudfront.settings import Settings
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Caller, operations

CALLER = Caller("000000000000", "us-east-1")
OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
VERSION = "arn:aws:lambda:us-east-1:000000000000:function:edge:1"
GOOD = FunctionFacts(
    5, 128, "python3.13", "role", ("edgelambda.amazonaws.com", "lambda.amazonaws.com")
)


class CloudFront:
    """The service, with what the engine was told."""

    def __init__(self) -> None:
        kept: dict[str, Account] = {}
        self.told: list[dict[str, Any]] = []
        self.invalidated: list[tuple[str, list[str]]] = []
        self.facts: FunctionFacts | None = GOOD
        self.service = ControlPlane(
            Accounts(lambda: kept),
            Settings("127.0.0.1", range(8100, 8103)),
            self.open_port,
            lambda arn: self.facts,
            lambda: self.told.append(copy.deepcopy(self.service.describe())),
            lambda identity, paths: self.invalidated.append((identity, paths)),
        )
        self.table = {**operations(self.service), **self.service.items.operations()}

    def open_port(self, identity: str, ports: list[int]) -> int:
        if not ports:
            raise ServiceError("TooManyDistributions", "no port is left")
        return ports[0]

    def __call__(self, operation: str, **parameters: Any) -> Any:
        return self.table[operation](CALLER, parameters)


@pytest.fixture
def cloudfront() -> CloudFront:
    return CloudFront()


def behavior(**more: Any) -> dict[str, Any]:
    return {
        "TargetOriginId": "o",
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": OPTIMIZED,
        **more,
    }


def counted(*listed: Any) -> dict[str, Any]:
    return {"Quantity": len(listed), "Items": list(listed)}


def bucket(**more: Any) -> dict[str, Any]:
    return {
        "Id": "o",
        "DomainName": "b.s3.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
        **more,
    }


def config(**more: Any) -> dict[str, Any]:
    return {
        "CallerReference": uuid.uuid4().hex,
        "Comment": "assets",
        "Enabled": True,
        "Origins": counted(bucket()),
        "DefaultCacheBehavior": behavior(),
        **more,
    }


@pytest.fixture
def distribution(cloudfront: CloudFront) -> str:
    made = cloudfront("CreateDistribution", DistributionConfig=config())
    return str(made["Distribution"]["Id"])


def batch(reference: str, *paths: str) -> dict[str, Any]:
    return {"CallerReference": reference, "Paths": counted(*paths)}


def refused(code: str) -> Any:
    def has_code(error: BaseException) -> bool:
        return isinstance(error, ServiceError) and error.code == code

    return pytest.raises(ServiceError, check=has_code)


# --- Distributions


def test_a_distribution_is_told_to_the_engine_with_its_policies(cloudfront: CloudFront) -> None:
    made = cloudfront("CreateDistribution", DistributionConfig=config())["Distribution"]

    (told,) = cloudfront.told[-1]["distributions"]
    assert (told["id"], told["domain"]) == (made["Id"], made["DomainName"])
    assert told["port"] in range(8100, 8103)
    assert told["policies"]["cache"] == {OPTIMIZED: CACHE[OPTIMIZED]}
    assert made["Status"] == "Deployed"
    assert made["DomainName"].endswith(".cloudfront.net")


def test_each_distribution_has_a_port_and_gives_it_back(cloudfront: CloudFront) -> None:
    ids = [
        cloudfront("CreateDistribution", DistributionConfig=config())["Distribution"]["Id"]
        for _ in range(3)
    ]
    with refused("TooManyDistributions"):
        cloudfront("CreateDistribution", DistributionConfig=config())
    known = cloudfront("GetDistributionConfig", Id=ids[1])
    with refused("DistributionNotDisabled"):
        cloudfront("DeleteDistribution", Id=ids[1], IfMatch=known["ETag"])
    disabled = {**known["DistributionConfig"], "Enabled": False}
    changed = cloudfront(
        "UpdateDistribution", Id=ids[1], IfMatch=known["ETag"], DistributionConfig=disabled
    )
    cloudfront("DeleteDistribution", Id=ids[1], IfMatch=changed["ETag"])
    cloudfront("CreateDistribution", DistributionConfig=config())

    ports = [one["port"] for one in cloudfront.told[-1]["distributions"]]
    assert sorted(ports) == [8100, 8101, 8102]


def test_the_same_caller_reference_begins_at_the_same_port() -> None:
    def port() -> int:
        cloudfront = CloudFront()
        cloudfront("CreateDistribution", DistributionConfig=config(CallerReference="shop-Assets"))
        return int(cloudfront.told[-1]["distributions"][0]["port"])

    assert port() == port()


def test_a_change_needs_the_version_that_it_is_made_of(
    cloudfront: CloudFront, distribution: str
) -> None:
    known = cloudfront("GetDistributionConfig", Id=distribution)
    wanted = {**known["DistributionConfig"], "Comment": "new"}

    with refused("InvalidIfMatchVersion"):
        cloudfront("UpdateDistribution", Id=distribution, DistributionConfig=wanted)
    with refused("PreconditionFailed"):
        cloudfront("UpdateDistribution", Id=distribution, IfMatch="E0", DistributionConfig=wanted)
    cloudfront(
        "UpdateDistribution", Id=distribution, IfMatch=known["ETag"], DistributionConfig=wanted
    )
    assert cloudfront("GetDistribution", Id=distribution)["ETag"] != known["ETag"]
    assert cloudfront.told[-1]["distributions"][0]["config"]["Comment"] == "new"


def test_a_caller_reference_stands_for_one_distribution(cloudfront: CloudFront) -> None:
    same = config()
    cloudfront("CreateDistribution", DistributionConfig=same)
    with refused("DistributionAlreadyExists"):
        cloudfront("CreateDistribution", DistributionConfig=same)


def test_distributions_are_listed_in_pages(cloudfront: CloudFront) -> None:
    for _ in range(3):
        cloudfront("CreateDistribution", DistributionConfig=config())
    first = cloudfront("ListDistributions", MaxItems=2)["DistributionList"]
    second = cloudfront("ListDistributions", Marker=first["NextMarker"])["DistributionList"]

    assert (first["Quantity"], first["IsTruncated"]) == (2, True)
    assert (second["Quantity"], second["IsTruncated"]) == (1, False)


CUSTOM = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
REFUSED = {
    "no policy and no forwarded values": (
        {"DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"}},
        "InvalidArgument"),
    "both": ({"DefaultCacheBehavior": behavior(ForwardedValues={"QueryString": False})},
             "InvalidArgument"),
    "an unknown policy": ({"DefaultCacheBehavior": behavior(CachePolicyId="none")},
                          "NoSuchCachePolicy"),
    "an unknown origin": ({"DefaultCacheBehavior": behavior(TargetOriginId="x")}, "NoSuchOrigin"),
    "no origin": ({"Origins": counted()}, "InvalidArgument"),
    "an origin of both kinds": ({"Origins": counted(bucket(CustomOriginConfig=CUSTOM))},
                                "InvalidArgument"),
    "an address as origin": ({"Origins": counted(bucket(DomainName="https://a.example/b"))},
                             "InvalidArgument"),
    "an origin path that ends in a slash": ({"Origins": counted(bucket(OriginPath="/a/"))},
                                            "InvalidArgument"),
    "an unknown access control": ({"Origins": counted(bucket(OriginAccessControlId="E1"))},
                                  "InvalidOriginAccessControl"),
    "a path pattern twice": (
        {"CacheBehaviors": counted(behavior(PathPattern="/a"), behavior(PathPattern="/a"))},
        "InvalidArgument"),
    "a path pattern with a space": ({"CacheBehaviors": counted(behavior(PathPattern="/a b"))},
                                    "InvalidArgument"),
    "other methods": ({"DefaultCacheBehavior": behavior(AllowedMethods=counted("GET", "POST"))},
                      "InvalidArgument"),
    "quantities that differ": ({"Origins": {"Quantity": 2, "Items": [bucket()]}},
                               "InconsistentQuantities"),
    "signed URLs": (
        {"DefaultCacheBehavior": behavior(TrustedSigners={"Enabled": True, **counted("self")})},
        "UnsupportedOperation"),
    "CloudFront Functions": (
        {"DefaultCacheBehavior": behavior(FunctionAssociations=counted(
            {"FunctionARN": "arn", "EventType": "viewer-request"}))},
        "UnsupportedOperation"),
    "restrictions by country": (
        {"Restrictions": {"GeoRestriction": {"RestrictionType": "whitelist", **counted("DE")}}},
        "UnsupportedOperation"),
    "an alias without a certificate": ({"Aliases": counted("shop.example")},
                                       "InvalidViewerCertificate"),
    "a page without a status": (
        {"CustomErrorResponses": counted({"ErrorCode": 404, "ResponsePagePath": "/x"})},
        "InvalidArgument"),
    "a status that no page is for": ({"CustomErrorResponses": counted({"ErrorCode": 418})},
                                     "InvalidErrorCode"),
}  # fmt: skip  # one case a paragraph


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(cloudfront: CloudFront, case: str) -> None:
    change, code = REFUSED[case]
    with refused(code):
        cloudfront("CreateDistribution", DistributionConfig=config(**change))
    assert cloudfront("ListDistributions")["DistributionList"]["Quantity"] == 0


def test_an_alias_belongs_to_one_distribution(cloudfront: CloudFront) -> None:
    named = {
        "Aliases": counted("shop.example"),
        "ViewerCertificate": {"ACMCertificateArn": "arn:aws:acm:us-east-1:1:certificate/a"},
    }
    cloudfront("CreateDistribution", DistributionConfig=config(**named))
    with refused("CNAMEAlreadyExists"):
        cloudfront("CreateDistribution", DistributionConfig=config(**named))


# --- Functions at the edge


def with_function(arn: str = VERSION, point: str = "viewer-request", **more: Any) -> dict[str, Any]:
    association = {"LambdaFunctionARN": arn, "EventType": point, **more}
    return config(DefaultCacheBehavior=behavior(LambdaFunctionAssociations=counted(association)))


ARNS = {
    "the unpublished version": VERSION[:-2],
    "$LATEST": VERSION.replace(":1", ":$LATEST"),
    "an alias": VERSION.replace(":1", ":live"),
    "another region": VERSION.replace("us-east-1", "eu-west-1"),
    "another account": VERSION.replace("000000000000", "111111111111"),
    "no ARN": "edge",
}


@pytest.mark.parametrize("case", ARNS)
def test_only_a_numbered_version_in_us_east_1(cloudfront: CloudFront, case: str) -> None:
    with refused("InvalidLambdaFunctionAssociation"):
        cloudfront("CreateDistribution", DistributionConfig=with_function(ARNS[case]))


FACTS: dict[str, tuple[str, FunctionFacts | None]] = {
    "no such version": ("viewer-request", None),
    "environment variables": (
        "viewer-request", FunctionFacts(5, 128, "python3.13", "r", has_environment=True)),
    "a layer": ("viewer-request", FunctionFacts(5, 128, "python3.13", "r", has_layers=True)),
    "a network": ("viewer-request", FunctionFacts(5, 128, "python3.13", "r", has_network=True)),
    "a dead-letter queue": (
        "viewer-request", FunctionFacts(5, 128, "python3.13", "r", has_dead_letters=True)),
    "arm64": (
        "viewer-request", FunctionFacts(5, 128, "python3.13", "r", architectures=("arm64",))),
    "another runtime": ("viewer-request", FunctionFacts(5, 128, "java21", "r")),
    "6 s for a viewer": ("viewer-response", FunctionFacts(6, 128, "python3.13", "r")),
    "256 MB for a viewer": ("viewer-request", FunctionFacts(5, 256, "python3.13", "r")),
    "31 s for an origin": ("origin-request", FunctionFacts(31, 128, "python3.13", "r")),
    "a role that trusts Lambda alone": (
        "origin-request",
        FunctionFacts(5, 128, "python3.13", "r", ("lambda.amazonaws.com",))),
}  # fmt: skip  # one case a paragraph


@pytest.mark.parametrize("case", FACTS)
def test_a_function_that_cannot_run_at_the_edge(cloudfront: CloudFront, case: str) -> None:
    point, cloudfront.facts = FACTS[case]
    with refused("InvalidLambdaFunctionAssociation"):
        cloudfront("CreateDistribution", DistributionConfig=with_function(point=point))


def test_a_function_that_can(cloudfront: CloudFront) -> None:
    cloudfront.facts = FunctionFacts(30, 1024, "nodejs22.x", "r")
    for point in ("origin-request", "origin-response"):
        cloudfront("CreateDistribution", DistributionConfig=with_function(point=point))
    with refused("InvalidLambdaFunctionAssociation"):
        wanted = with_function(point="origin-response", IncludeBody=True)
        cloudfront("CreateDistribution", DistributionConfig=wanted)


# --- Policies


@pytest.mark.parametrize(
    ("kind", "plural", "count"),
    [
        ("CachePolicy", "CachePolicies", len(CACHE)),
        ("OriginRequestPolicy", "OriginRequestPolicies", len(ORIGIN_REQUEST)),
        ("ResponseHeadersPolicy", "ResponseHeadersPolicies", len(RESPONSE_HEADERS)),
    ],
)
def test_managed_policies(cloudfront: CloudFront, kind: str, plural: str, count: int) -> None:
    listed = cloudfront(f"List{plural}", Type="managed")[f"{kind}List"]

    assert listed["Quantity"] == count
    assert {one["Type"] for one in listed["Items"]} == {"managed"}
    identity = listed["Items"][0][kind]["Id"]
    known = cloudfront(f"Get{kind}", Id=identity)
    with refused("IllegalDelete"):
        cloudfront(f"Delete{kind}", Id=identity, IfMatch=known["ETag"])


def test_a_policy_of_ones_own(cloudfront: CloudFront) -> None:
    wanted = {"Name": "mine", "MinTTL": 0, "DefaultTTL": 5, "MaxTTL": 60}
    made = cloudfront("CreateCachePolicy", CachePolicyConfig=wanted)
    identity = made["CachePolicy"]["Id"]
    with refused("CachePolicyAlreadyExists"):
        cloudfront("CreateCachePolicy", CachePolicyConfig=wanted)
    used = config(DefaultCacheBehavior=behavior(CachePolicyId=identity))
    cloudfront("CreateDistribution", DistributionConfig=used)
    with refused("CachePolicyInUse"):
        cloudfront("DeleteCachePolicy", Id=identity, IfMatch=made["ETag"])

    changed = {**wanted, "DefaultTTL": 6}
    cloudfront("UpdateCachePolicy", Id=identity, IfMatch=made["ETag"], CachePolicyConfig=changed)

    told = cloudfront.told[-1]["distributions"][0]["policies"]["cache"]
    assert told[identity]["DefaultTTL"] == 6


def test_an_access_control_that_signs_is_told_to_the_engine(cloudfront: CloudFront) -> None:
    for behavior_, access in (("always", "control"), ("never", None)):
        made = cloudfront(
            "CreateOriginAccessControl",
            OriginAccessControlConfig={"Name": behavior_, "SigningBehavior": behavior_},
        )["OriginAccessControl"]["Id"]
        origin = bucket(OriginAccessControlId=made)
        cloudfront("CreateDistribution", DistributionConfig=config(Origins=counted(origin)))
        told = cloudfront.told[-1]["distributions"][-1]["config"]["Origins"]["Items"][0]
        assert told.get("Access") == access


# --- Invalidations


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
    assert cloudfront.invalidated == [(distribution, ["/logos/a/*", "/logos/b/*"])]


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
    listed = cloudfront("ListInvalidations", DistributionId=distribution)["InvalidationList"]
    assert listed["Quantity"] == 1


def test_what_is_no_invalidation(cloudfront: CloudFront, distribution: str) -> None:
    def invalidate(*paths: str, where: str = distribution) -> None:
        cloudfront("CreateInvalidation", DistributionId=where, InvalidationBatch=batch("x", *paths))

    invalidate("/a")
    for paths in (("/b",), ("a",), ()):
        with refused("InvalidArgument"):
            invalidate(*paths)
    with refused("NoSuchDistribution"):
        invalidate("/a", where="ENONE")
    with refused("NoSuchInvalidation"):
        cloudfront("GetInvalidation", DistributionId=distribution, Id="INONE")


# --- Buckets, settings

ARN = "arn:aws:cloudfront::000000000000:distribution/E1"
CONTROL = Asker("control", ARN)
IDENTITY = Asker("identity", ARN, "EOAI", "c" * 96)
SERVICE = {"Service": "cloudfront.amazonaws.com"}
USER = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EOAI"


def source(arn: str) -> dict[str, Any]:
    return {"StringEquals": {"AWS:SourceArn": arn}}


@pytest.mark.parametrize(
    ("statement", "asker", "allowed"),
    [
        ({"Principal": SERVICE, "Condition": source(ARN)}, CONTROL, True),
        ({"Principal": SERVICE, "Condition": source(ARN + "x")}, CONTROL, False),
        ({"Principal": SERVICE}, IDENTITY, False),
        ({"Principal": {"AWS": USER}}, IDENTITY, True),
        ({"Principal": {"CanonicalUser": "c" * 96}}, IDENTITY, True),
        ({"Principal": {"CanonicalUser": "d" * 96}}, IDENTITY, False),
        ({"Principal": "*"}, Asker("none", ARN), True),
        ({"Principal": SERVICE}, Asker("none", ARN), False),
        ({"Principal": "*", "Effect": "Deny"}, CONTROL, False),
        ({"Principal": "*", "Action": "s3:Get*"}, CONTROL, True),
        ({"Principal": "*", "Action": ["s3:PutObject"]}, CONTROL, False),
        ({"Principal": "*", "Resource": "arn:aws:s3:::b/other/*"}, CONTROL, False),
    ],
)
def test_who_may_read_a_bucket(statement: dict[str, Any], asker: Asker, allowed: bool) -> None:
    whole = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
    found = may([whole | statement], "s3:getobject", "arn:aws:s3:::b/logos/a", asker)
    assert found is allowed, json.dumps(statement)


def test_the_ports_are_a_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFRONT_PORTS", "8650-8659")
    assert Settings.from_environment().ports == range(8650, 8660)
    for wrong in ("8650", "9-8", "0-5", "a-b", "1-70000"):
        monkeypatch.setenv("CLOUDFRONT_PORTS", wrong)
        with pytest.raises(InvalidSettingError, match="CLOUDFRONT_PORTS"):
            Settings.from_environment()

"""Amazon CloudFront: distributions, policies, origin access controls and identities."""

from __future__ import annotations

from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    gone,
    outcome_of,
    subset,
)
from bootstrap.template import Physical

type Config = dict[str, Any]

_NONE: Config = {"Quantity": 0, "Items": []}
#: What a setting goes back to when the definition no longer has it (CloudFormation,
#: "AWS::CloudFront::Distribution DistributionConfig").
_DEFAULTS: Config = {
    "Aliases": _NONE,
    "CacheBehaviors": _NONE,
    "Comment": "",
    "CustomErrorResponses": _NONE,
    "DefaultRootObject": "",
    "HttpVersion": "http1.1",
    "IsIPV6Enabled": False,
    "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
    "OriginGroups": _NONE,
    "PriceClass": "PriceClass_All",
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", **_NONE}},
    "ViewerCertificate": {"CloudFrontDefaultCertificate": True},
    "WebACLId": "",
}
_BEHAVIOR_DEFAULTS: Config = {
    "Compress": False,
    "LambdaFunctionAssociations": _NONE,
    "SmoothStreaming": False,
}
#: Settings of a behaviour that are left out of a request when they are empty.
_POLICIES = ("CachePolicyId", "OriginRequestPolicyId", "ResponseHeadersPolicyId")
_ORIGIN_DEFAULTS: Config = {
    "ConnectionAttempts": 3,
    "ConnectionTimeout": 10,
    "CustomHeaders": _NONE,
    "OriginAccessControlId": "",
    "OriginPath": "",
}
#: Names in CloudFormation that the API writes otherwise.
_RENAMED = {
    "AcmCertificateArn": "ACMCertificateArn",
    "IPV6Enabled": "IsIPV6Enabled",
    "IamCertificateId": "IAMCertificateId",
    "Locations": "Items",
    "OriginCustomHeaders": "CustomHeaders",
    "OriginSSLProtocols": "OriginSslProtocols",
    "SslSupportMethod": "SSLSupportMethod",
}
_NUMBERS = frozenset(
    {
        *("ConnectionAttempts", "ConnectionTimeout", "DefaultTTL", "ErrorCachingMinTTL"),
        *("ErrorCode", "HTTPPort", "HTTPSPort", "MaxTTL", "MinTTL", "OriginKeepaliveTimeout"),
        *("OriginReadTimeout", "Quantity", "AccessControlMaxAgeSec"),
    }
)


def _counted(node: Any) -> Any:
    """CloudFormation lists items plainly; the CloudFront API wants them counted."""
    if isinstance(node, list):
        return {"Quantity": len(node), "Items": [_counted(one) for one in node]}
    if not isinstance(node, dict):
        return node
    result: Config = {}
    for name, value in node.items():
        key = str(_RENAMED.get(name, name))
        if key == "Items":
            result["Items"] = [_counted(one) for one in value]
            result["Quantity"] = len(value)
        elif key in _NUMBERS and isinstance(value, str | float):
            result[key] = int(value)
        elif key == "ResponseCode":
            result[key] = str(value)
        else:
            result[key] = _counted(value)
    return result


def _distribution(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    cloudfront = context.client("cloudfront")
    # CloudFront has no names: the caller reference is what makes a distribution ours.
    reference = f"{context.service}-{logical_id}"
    wanted = _DEFAULTS | _config(properties["DistributionConfig"], reference)
    existing = _find(cloudfront, reference)
    if existing is None:
        made = cloudfront.create_distribution(DistributionConfig=_request(wanted))["Distribution"]
        _tag(cloudfront, made["ARN"], properties)
        return Outcome.CREATED, _physical(made)
    answer = cloudfront.get_distribution_config(Id=existing["Id"])
    differs = not subset(wanted, answer["DistributionConfig"])
    if differs:
        cloudfront.update_distribution(
            Id=existing["Id"],
            IfMatch=answer["ETag"],
            DistributionConfig=answer["DistributionConfig"] | _request(wanted),
        )
    tagged = "Tags" in properties and _tag(cloudfront, existing["ARN"], properties)
    return outcome_of(False, differs, tagged), _physical(existing)


def _tag(cloudfront: Any, arn: str, properties: Properties) -> bool:
    wanted = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    if not wanted:
        return False
    listed = cloudfront.list_tags_for_resource(Resource=arn)["Tags"].get("Items", [])
    actual = {tag["Key"]: tag.get("Value", "") for tag in listed}
    if wanted == actual:
        return False
    stale = sorted(actual.keys() - wanted.keys())
    if stale:
        cloudfront.untag_resource(Resource=arn, TagKeys={"Items": stale})
    items = [{"Key": key, "Value": value} for key, value in wanted.items()]
    cloudfront.tag_resource(Resource=arn, Tags={"Items": items})
    return True


def _find(cloudfront: Any, reference: str) -> dict[str, Any] | None:
    for page in cloudfront.get_paginator("list_distributions").paginate():
        for item in page["DistributionList"].get("Items", []):
            config = cloudfront.get_distribution_config(Id=item["Id"])["DistributionConfig"]
            if config["CallerReference"] == reference:
                return dict(item)
    return None


def _physical(distribution: dict[str, Any]) -> Physical:
    return Physical(
        distribution["Id"],
        {"Id": distribution["Id"], "DomainName": distribution["DomainName"]},
    )


def _config(given: Config, reference: str) -> Config:
    """A distribution's configuration as the API has it, with what is not said written out."""
    config: Config = {**_counted(given), "CallerReference": reference}
    config["DefaultCacheBehavior"] = _behavior(config["DefaultCacheBehavior"])
    for name, complete in (("CacheBehaviors", _behavior), ("Origins", _origin)):
        if name in config:
            listed = [complete(one) for one in config[name]["Items"]]
            config[name] = {"Quantity": len(listed), "Items": listed}
    return config


def _behavior(given: Config) -> Config:
    behavior = {**_BEHAVIOR_DEFAULTS, **dict.fromkeys(_POLICIES, ""), **given}
    cached = behavior.pop("CachedMethods", None)
    if cached:
        allowed = behavior.get("AllowedMethods") or _counted(["HEAD", "GET"])
        behavior["AllowedMethods"] = {**allowed, "CachedMethods": cached}
    if "ForwardedValues" in behavior:
        behavior["ForwardedValues"] = {
            "Cookies": {"Forward": "none"},
            **behavior["ForwardedValues"],
        }
        behavior.setdefault("MinTTL", 0)
    return behavior


def _origin(given: Config) -> Config:
    origin = {**_ORIGIN_DEFAULTS, **given}
    if "S3OriginConfig" in origin:
        origin["S3OriginConfig"] = {"OriginAccessIdentity": "", **origin["S3OriginConfig"]}
    if "CustomOriginConfig" in origin:
        ports = {"HTTPPort": 80, "HTTPSPort": 443}
        origin["CustomOriginConfig"] = {**ports, **origin["CustomOriginConfig"]}
    return origin


def _request(config: Config) -> Config:
    """The configuration without policies that are none."""

    def without(behavior: Config) -> Config:
        return {k: v for k, v in behavior.items() if v != "" or k not in _POLICIES}

    listed = [without(one) for one in config["CacheBehaviors"]["Items"]]
    return {
        **config,
        "DefaultCacheBehavior": without(config["DefaultCacheBehavior"]),
        "CacheBehaviors": {"Quantity": len(listed), "Items": listed},
    }


def _remove_distribution(context: Context, key: Key) -> bool:
    """Disable a distribution and delete it: it would go on to invoke its functions."""
    cloudfront = context.client("cloudfront")
    answer = found(lambda: cloudfront.get_distribution_config(Id=key["Ref"]), "NoSuchDistribution")
    if answer is None:
        return False
    etag = answer["ETag"]
    if answer["DistributionConfig"]["Enabled"]:
        disabled = answer["DistributionConfig"] | {"Enabled": False}
        etag = cloudfront.update_distribution(
            Id=key["Ref"], IfMatch=etag, DistributionConfig=disabled
        )["ETag"]
    return gone(
        lambda: cloudfront.delete_distribution(Id=key["Ref"], IfMatch=etag), "NoSuchDistribution"
    )


# -- policies, access controls, access identities -----------------------------------------------


def _kept(kind: str, operation: str, listing: str) -> ResourceType:
    """A kind of policy, or origin access controls: found again by its name.

    Args:
        kind: as CloudFormation and the API have it: ``CachePolicy``.
        operation: as boto3 has it: ``cache_policy``.
        listing: the method that lists them: ``list_cache_policies``.
    """
    config_name, argument = f"{kind}Config", f"{kind}Config"

    def ensure(
        context: Context, logical_id: str, properties: Properties
    ) -> tuple[Outcome, Physical]:
        cloudfront = context.client("cloudfront")
        wanted = _counted(properties[config_name])
        known = _named(cloudfront, kind, listing, wanted["Name"])
        if known is None:
            made = getattr(cloudfront, f"create_{operation}")(**{argument: wanted})
            return Outcome.CREATED, _identified(made[kind]["Id"])
        answer = getattr(cloudfront, f"get_{operation}_config")(Id=known)
        actual = answer[config_name]
        if subset(wanted, actual) and not _dropped(wanted, actual):
            return Outcome.UNCHANGED, _identified(known)
        getattr(cloudfront, f"update_{operation}")(
            Id=known, IfMatch=answer["ETag"], **{argument: wanted}
        )
        return Outcome.CHANGED, _identified(known)

    def exists(context: Context, key: Key) -> bool:
        get = getattr(context.client("cloudfront"), f"get_{operation}")
        return found(lambda: get(Id=key["Ref"]), f"NoSuch{kind}") is not None

    return ResourceType(
        ensure,
        {config_name: _CONFIGS[kind]},
        exists=exists,
        delete_with=f"cloudfront delete-{operation.replace('_', '-')} --id {{Ref}} --if-match ETAG",
    )


def _dropped(wanted: Config, actual: Config) -> bool:
    """Whether there is something that is no longer described."""
    return any(value not in (None, "") for key, value in actual.items() if key not in wanted)


def _named(cloudfront: Any, kind: str, listing: str, name: str) -> str | None:
    marker: dict[str, str] = {}
    while True:
        listed = getattr(cloudfront, listing)(**marker)[f"{kind}List"]
        for one in listed.get("Items", []):
            config = one[kind][f"{kind}Config"] if kind in one else one
            if config["Name"] == name:
                return str(one.get(kind, one)["Id"])
        if not listed.get("NextMarker"):
            return None
        marker = {"Marker": listed["NextMarker"]}


def _identified(identity: str) -> Physical:
    return Physical(identity, {"Id": identity})


def _identity(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    cloudfront = context.client("cloudfront")
    wanted = {
        "CallerReference": f"{context.service}-{logical_id}",
        **properties["CloudFrontOriginAccessIdentityConfig"],
    }
    listed = cloudfront.list_cloud_front_origin_access_identities()
    for one in listed["CloudFrontOriginAccessIdentityList"].get("Items", []):
        answer = cloudfront.get_cloud_front_origin_access_identity_config(Id=one["Id"])
        actual = answer["CloudFrontOriginAccessIdentityConfig"]
        if actual["CallerReference"] != wanted["CallerReference"]:
            continue
        physical = Physical(
            one["Id"], {"Id": one["Id"], "S3CanonicalUserId": one["S3CanonicalUserId"]}
        )
        if actual == wanted:
            return Outcome.UNCHANGED, physical
        cloudfront.update_cloud_front_origin_access_identity(
            Id=one["Id"],
            IfMatch=answer["ETag"],
            CloudFrontOriginAccessIdentityConfig=wanted,
        )
        return Outcome.CHANGED, physical
    made = cloudfront.create_cloud_front_origin_access_identity(
        CloudFrontOriginAccessIdentityConfig=wanted
    )["CloudFrontOriginAccessIdentity"]
    values = {"Id": made["Id"], "S3CanonicalUserId": made["S3CanonicalUserId"]}
    return Outcome.CREATED, Physical(made["Id"], values)


def _identity_exists(context: Context, key: Key) -> bool:
    get = context.client("cloudfront").get_cloud_front_origin_access_identity
    return found(lambda: get(Id=key["Ref"]), "NoSuchCloudFrontOriginAccessIdentity") is not None


# -- shapes ----------------------------------------------------------------------------------------

_TEXTS = shapes.list_of(shapes.text)
_SECONDS = shapes.any_number


def _whole(value: Any) -> shapes.Problems:
    return shapes.number(0)(value)


def _items_of(item: shapes.Shape) -> shapes.Shape:
    return shapes.mapping({"Items": shapes.list_of(item)}, {"Quantity": _whole})


_COOKIES = shapes.mapping({"CookieBehavior": shapes.text}, {"Cookies": _TEXTS})
_HEADERS = shapes.mapping({"HeaderBehavior": shapes.text}, {"Headers": _TEXTS})
_QUERIES = shapes.mapping({"QueryStringBehavior": shapes.text}, {"QueryStrings": _TEXTS})
_OVERRIDE = {"Override": shapes.flag}
_CONFIGS: dict[str, shapes.Shape] = {
    "CachePolicy": shapes.mapping(
        {
            "Name": shapes.text,
            "DefaultTTL": _SECONDS,
            "MaxTTL": _SECONDS,
            "MinTTL": _SECONDS,
            "ParametersInCacheKeyAndForwardedToOrigin": shapes.mapping(
                {
                    "CookiesConfig": _COOKIES,
                    "EnableAcceptEncodingGzip": shapes.flag,
                    "HeadersConfig": _HEADERS,
                    "QueryStringsConfig": _QUERIES,
                },
                {"EnableAcceptEncodingBrotli": shapes.flag},
            ),
        },
        {"Comment": shapes.text},
    ),
    "OriginRequestPolicy": shapes.mapping(
        {
            "Name": shapes.text,
            "CookiesConfig": _COOKIES,
            "HeadersConfig": _HEADERS,
            "QueryStringsConfig": _QUERIES,
        },
        {"Comment": shapes.text},
    ),
    "ResponseHeadersPolicy": shapes.mapping(
        {"Name": shapes.text},
        {
            "Comment": shapes.text,
            "CorsConfig": shapes.mapping(
                {
                    "AccessControlAllowCredentials": shapes.flag,
                    "AccessControlAllowHeaders": _items_of(shapes.text),
                    "AccessControlAllowMethods": _items_of(shapes.text),
                    "AccessControlAllowOrigins": _items_of(shapes.text),
                    "OriginOverride": shapes.flag,
                },
                {
                    "AccessControlExposeHeaders": _items_of(shapes.text),
                    "AccessControlMaxAgeSec": _whole,
                },
            ),
            "CustomHeadersConfig": _items_of(
                shapes.mapping({"Header": shapes.text, "Value": shapes.text, **_OVERRIDE})
            ),
            "RemoveHeadersConfig": _items_of(shapes.mapping({"Header": shapes.text})),
            "SecurityHeadersConfig": shapes.mapping(
                {},
                {
                    "ContentSecurityPolicy": shapes.mapping(
                        {"ContentSecurityPolicy": shapes.text, **_OVERRIDE}
                    ),
                    "ContentTypeOptions": shapes.mapping(_OVERRIDE),
                    "FrameOptions": shapes.mapping(
                        {"FrameOption": shapes.one_of("DENY", "SAMEORIGIN"), **_OVERRIDE}
                    ),
                    "ReferrerPolicy": shapes.mapping({"ReferrerPolicy": shapes.text, **_OVERRIDE}),
                    "StrictTransportSecurity": shapes.mapping(
                        {"AccessControlMaxAgeSec": _whole, **_OVERRIDE},
                        {"IncludeSubdomains": shapes.flag, "Preload": shapes.flag},
                    ),
                    "XSSProtection": shapes.mapping(
                        {"Protection": shapes.flag, **_OVERRIDE},
                        {"ModeBlock": shapes.flag, "ReportUri": shapes.text},
                    ),
                },
            ),
            "ServerTimingHeadersConfig": shapes.mapping(
                {"Enabled": shapes.flag}, {"SamplingRate": shapes.any_number}
            ),
        },
    ),
    "OriginAccessControl": shapes.mapping(
        {
            "Name": shapes.text,
            "OriginAccessControlOriginType": shapes.one_of("lambda", "s3"),
            "SigningBehavior": shapes.one_of("always", "never", "no-override"),
            "SigningProtocol": shapes.one_of("sigv4"),
        },
        {"Description": shapes.text},
    ),
}
_POINTS = ("viewer-request", "origin-request", "origin-response", "viewer-response")
_BEHAVIOR: dict[str, shapes.Shape] = {
    "AllowedMethods": _TEXTS,
    "CachedMethods": _TEXTS,
    "CachePolicyId": shapes.text,
    "Compress": shapes.flag,
    "DefaultTTL": _SECONDS,
    "ForwardedValues": shapes.mapping(
        {"QueryString": shapes.flag},
        {
            "Cookies": shapes.mapping(
                {"Forward": shapes.one_of("all", "none", "whitelist")},
                {"WhitelistedNames": _TEXTS},
            ),
            "Headers": _TEXTS,
            "QueryStringCacheKeys": _TEXTS,
        },
    ),
    "LambdaFunctionAssociations": shapes.list_of(
        shapes.mapping(
            {"EventType": shapes.one_of(*_POINTS), "LambdaFunctionARN": shapes.text},
            {"IncludeBody": shapes.flag},
        )
    ),
    "MaxTTL": _SECONDS,
    "MinTTL": _SECONDS,
    "OriginRequestPolicyId": shapes.text,
    "ResponseHeadersPolicyId": shapes.text,
    "SmoothStreaming": shapes.flag,
}
_WANTED: dict[str, shapes.Shape] = {
    "TargetOriginId": shapes.text,
    "ViewerProtocolPolicy": shapes.one_of("allow-all", "https-only", "redirect-to-https"),
}
_ORIGIN = shapes.mapping(
    {"Id": shapes.text, "DomainName": shapes.text},
    {
        "ConnectionAttempts": shapes.number(1, 3),
        "ConnectionTimeout": shapes.number(1, 10),
        "CustomOriginConfig": shapes.mapping(
            {"OriginProtocolPolicy": shapes.one_of("http-only", "https-only", "match-viewer")},
            {
                "HTTPPort": shapes.number(1, 65_535),
                "HTTPSPort": shapes.number(1, 65_535),
                "OriginKeepaliveTimeout": shapes.number(1, 120),
                "OriginReadTimeout": shapes.number(1, 120),
                "OriginSSLProtocols": _TEXTS,
            },
        ),
        "OriginAccessControlId": shapes.text,
        "OriginCustomHeaders": shapes.list_of(
            shapes.mapping({"HeaderName": shapes.text, "HeaderValue": shapes.text})
        ),
        "OriginPath": shapes.text,
        "S3OriginConfig": shapes.mapping(
            {}, {"OriginAccessIdentity": shapes.text, "OriginReadTimeout": shapes.number(1, 120)}
        ),
    },
)
_GROUP = shapes.mapping(
    {
        "Id": shapes.text,
        "FailoverCriteria": shapes.mapping({"StatusCodes": _items_of(shapes.number(400, 599))}),
        "Members": _items_of(shapes.mapping({"OriginId": shapes.text})),
    },
    {"SelectionCriteria": shapes.one_of("default")},
)
_ERROR = shapes.mapping(
    {"ErrorCode": shapes.number(400, 599)},
    {
        "ErrorCachingMinTTL": _SECONDS,
        "ResponseCode": shapes.number(200, 599),
        "ResponsePagePath": shapes.text,
    },
)
_DISTRIBUTION = shapes.mapping(
    {"Enabled": shapes.flag, "DefaultCacheBehavior": shapes.mapping(_WANTED, _BEHAVIOR)},
    {
        "Aliases": _TEXTS,
        "CacheBehaviors": shapes.list_of(
            shapes.mapping({"PathPattern": shapes.text, **_WANTED}, _BEHAVIOR)
        ),
        "Comment": shapes.text,
        "CustomErrorResponses": shapes.list_of(_ERROR),
        "DefaultRootObject": shapes.text,
        "HttpVersion": shapes.one_of("http1.1", "http2", "http2and3", "http3"),
        "IPV6Enabled": shapes.flag,
        "Logging": shapes.any_mapping,
        "OriginGroups": _items_of(_GROUP),
        "Origins": shapes.list_of(_ORIGIN),
        "PriceClass": shapes.text,
        "ViewerCertificate": shapes.mapping(
            {},
            {
                "AcmCertificateArn": shapes.text,
                "CloudFrontDefaultCertificate": shapes.flag,
                "IamCertificateId": shapes.text,
                "MinimumProtocolVersion": shapes.text,
                "SslSupportMethod": shapes.text,
            },
        ),
        "WebACLId": shapes.text,
    },
)

RESOURCE_TYPES: dict[str, ResourceType] = {
    "AWS::CloudFront::Distribution": ResourceType(
        _distribution,
        {"DistributionConfig": _DISTRIBUTION},
        {"Tags": shapes.list_of(shapes.mapping({"Key": shapes.text, "Value": shapes.text}))},
        remove=_remove_distribution,
    ),
    "AWS::CloudFront::CachePolicy": _kept("CachePolicy", "cache_policy", "list_cache_policies"),
    "AWS::CloudFront::OriginRequestPolicy": _kept(
        "OriginRequestPolicy", "origin_request_policy", "list_origin_request_policies"
    ),
    "AWS::CloudFront::ResponseHeadersPolicy": _kept(
        "ResponseHeadersPolicy", "response_headers_policy", "list_response_headers_policies"
    ),
    "AWS::CloudFront::OriginAccessControl": _kept(
        "OriginAccessControl", "origin_access_control", "list_origin_access_controls"
    ),
    "AWS::CloudFront::CloudFrontOriginAccessIdentity": ResourceType(
        _identity,
        {
            "CloudFrontOriginAccessIdentityConfig": shapes.mapping({"Comment": shapes.text}),
        },
        exists=_identity_exists,
        delete_with="cloudfront delete-cloud-front-origin-access-identity --id {Ref} --if-match E",
    ),
}

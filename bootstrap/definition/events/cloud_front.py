"""``cloudFront``: a function at the edge (Serverless guide, "CloudFront"; Lambda@Edge).

All events of a file make one distribution, ``CloudFrontDistribution``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, override
from urllib.parse import urlsplit

from pydantic import Field

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import (
    Endpoint,
    EventType,
    Example,
    Trigger,
    awslocal,
)
from bootstrap.definition.parsing import Model, Reference
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Function, Service

_PRINCIPAL = "edgelambda.amazonaws.com"
_DISTRIBUTION = "CloudFrontDistribution"
#: AWS's policy "CachingOptimized".
_CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
#: Seconds and MB that a function may take: of a viewer's points, and of an origin's.
_LIMITS = {"viewer": (5, 128), "origin": (30, 10_240)}
_DEFAULT_TIMEOUT_S = 5
_DEFAULT_MEMORY_MB = 128

type Method = Literal["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
type Names = list[str]


class EdgeCustomOriginConfig(Model):
    """``origin.CustomOriginConfig``; times are in seconds."""

    HTTPPort: int | None = Field(None, ge=0, le=65_535)
    HTTPSPort: int | None = Field(None, ge=0, le=65_535)
    OriginKeepaliveTimeout: int | None = Field(None, ge=1, le=60)
    OriginProtocolPolicy: Literal["http-only", "match-viewer", "https-only"]
    OriginReadTimeout: int | None = Field(None, ge=1, le=60)
    OriginSSLProtocols: list[Literal["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"]] | None = None


class OriginHeader(Model):
    """``origin.OriginCustomHeaders``."""

    HeaderName: str
    HeaderValue: str


class EdgeS3OriginConfig(Model):
    """``origin.S3OriginConfig``."""

    OriginAccessIdentity: Reference | None = None


class Origin(Model):
    """``origin``, written out."""

    ConnectionAttempts: int | None = Field(None, ge=1, le=3)
    ConnectionTimeout: int | None = Field(None, ge=1, le=10)
    CustomOriginConfig: EdgeCustomOriginConfig | None = None
    DomainName: Reference
    OriginAccessControlId: Reference | None = None
    OriginCustomHeaders: list[OriginHeader] | None = None
    OriginPath: str | None = None
    S3OriginConfig: EdgeS3OriginConfig | None = None


class EdgeCookies(Model):
    """``behavior.ForwardedValues.Cookies``."""

    Forward: Literal["all", "none", "whitelist"]
    WhitelistedNames: Names | None = None


class EdgeForwardedValues(Model):
    """``behavior.ForwardedValues``."""

    Cookies: EdgeCookies | None = None
    Headers: Names | None = None
    QueryString: bool
    QueryStringCacheKeys: Names | None = None


class Behavior(Model):
    """``behavior``: a cache behaviour; times are in seconds."""

    AllowedMethods: list[Method] | None = None
    CachedMethods: list[Method] | None = None
    CachePolicyId: str | None = None
    Compress: bool | None = None
    DefaultTTL: int | None = None
    ForwardedValues: EdgeForwardedValues | None = None
    MaxTTL: int | None = None
    MinTTL: int | None = None
    OriginRequestPolicyId: Reference | None = None
    ResponseHeadersPolicyId: Reference | None = None
    ViewerProtocolPolicy: Literal["allow-all", "https-only", "redirect-to-https"] | None = None


class CachePolicyName(Model):
    """``cachePolicy``: a policy of ``provider.cloudFront.cachePolicies``, or one by its id."""

    id: Reference | None = None
    name: str | None = Field(None, min_length=1)


class EdgeCookiesConfig(Model):
    """``CookiesConfig`` of a cache policy."""

    CookieBehavior: Literal["none", "whitelist", "allExcept", "all"]
    Cookies: Names | None = None


class EdgeHeadersConfig(Model):
    """``HeadersConfig`` of a cache policy."""

    HeaderBehavior: Literal["none", "whitelist"]
    Headers: Names | None = None


class EdgeQueryStringsConfig(Model):
    """``QueryStringsConfig`` of a cache policy."""

    QueryStringBehavior: Literal["none", "whitelist", "allExcept", "all"]
    QueryStrings: Names | None = None


class Parameters(Model):
    """``ParametersInCacheKeyAndForwardedToOrigin`` of a cache policy."""

    CookiesConfig: EdgeCookiesConfig
    EnableAcceptEncodingBrotli: bool | None = None
    EnableAcceptEncodingGzip: bool
    HeadersConfig: EdgeHeadersConfig
    QueryStringsConfig: EdgeQueryStringsConfig


class CachePolicy(Model):
    """``provider.cloudFront.cachePolicies.<name>``; times are in seconds."""

    Comment: str | None = None
    DefaultTTL: int = Field(ge=0)
    MaxTTL: int = Field(ge=0)
    MinTTL: int = Field(ge=0)
    ParametersInCacheKeyAndForwardedToOrigin: Parameters


class CloudFrontSettings(Model):
    """``provider.cloudFront``."""

    cachePolicies: dict[str, CachePolicy] = {}


class CloudFrontEvent(Model):
    """``cloudFront`` under ``events``."""

    behavior: Behavior = Behavior.model_construct()
    cachePolicy: CachePolicyName | None = None
    eventType: Literal["viewer-request", "origin-request", "origin-response", "viewer-response"]
    includeBody: bool | None = None
    isDefaultOrigin: bool = False
    origin: str | Origin
    pathPattern: str | None = Field(None, pattern=r"^([A-Za-z0-9_.*?$/~\"'@:+-]|&amp;)+$")


class CloudFront(EventType[CloudFrontEvent]):
    """A request to a distribution, or its response, goes through the function."""

    key = "cloudFront"
    model = CloudFrontEvent
    provider_settings: ClassVar = {
        "cloudFront": (CloudFrontSettings, CloudFrontSettings.model_construct())
    }
    failures = ()  # whoever sent the request gets the error

    def long_form(self, body: Any) -> Any:
        """There is no short form."""
        return body

    def check(
        self, trigger: Trigger[CloudFrontEvent], service: Service, document: Document
    ) -> None:
        """What the framework and AWS refuse."""
        event, path = trigger.event, trigger.path
        if service.provider.region != "us-east-1":
            document.fail("Functions at the edge must be deployed to us-east-1.", *path)
        if isinstance(event.origin, Origin):
            if bool(event.origin.CustomOriginConfig) == (event.origin.S3OriginConfig is not None):
                document.fail(
                    "origin needs either CustomOriginConfig or S3OriginConfig.", *path, "origin"
                )
        elif not urlsplit(event.origin).hostname:
            document.fail(
                f"origin: “{event.origin}” is no address. Write s3://bucket.s3.amazonaws.com,"
                " https://example.com, or the origin in full.",
                *path,
                "origin",
            )
        if (policy := event.cachePolicy) is not None:
            known = service.provider.setting("cloudFront").cachePolicies
            if (policy.id is None) == (policy.name is None):
                document.fail("cachePolicy needs either id or name.", *path, "cachePolicy")
            if policy.name is not None and policy.name not in known:
                document.fail(
                    f"cachePolicy.name: there is no provider.cloudFront.cachePolicies.{policy.name}"
                    f". There are: {', '.join(known) or 'none'}.",
                    *(*path, "cachePolicy", "name"),
                )
        self._check_function(trigger, service, document)

    @staticmethod
    def _check_function(
        trigger: Trigger[CloudFrontEvent], service: Service, document: Document
    ) -> None:
        function, point = service.functions[trigger.key], trigger.event.eventType
        seconds, megabytes = _LIMITS[point.partition("-")[0]]
        for name, value, most in (
            ("timeout", function.timeout, seconds),
            ("memorySize", function.memorySize, megabytes),
        ):
            if value is not None and value > most:
                document.fail(
                    f"functions.{trigger.key}.{name}: a function at the {point} may have {most} at"
                    f" most, not {value}.",
                    *("functions", trigger.key, name),
                )
        for name, given in (("layers", function.layers), ("environment", function.environment)):
            if given:
                document.fail(
                    f"functions.{trigger.key}.{name}: a function at the edge has none.",
                    *("functions", trigger.key, name),
                )

    @override
    def function_properties(
        self,
        triggers: Sequence[Trigger[CloudFrontEvent]],
        function: Function,
        properties: dict[str, Any],
    ) -> dict[str, Any]:
        kept = {name: value for name, value in properties.items() if name != "Environment"}
        kept["MemorySize"] = function.memorySize or _DEFAULT_MEMORY_MB
        kept["Timeout"] = function.timeout or _DEFAULT_TIMEOUT_S
        return kept

    def permissions(
        self, triggers: Sequence[Trigger[CloudFrontEvent]], service: Service
    ) -> Iterator[Resource]:
        """CloudFront may invoke the version."""
        source: list[Any] = [
            *("", "arn:", {"Ref": "AWS::Partition"}, ":cloudfront::"),
            *({"Ref": "AWS::AccountId"}, ":distribution/", {"Ref": _DISTRIBUTION}),
        ]
        for trigger in _one_of_each(triggers):
            properties = {
                "FunctionName": {"Ref": _version_id(trigger.key)},
                "Action": "lambda:InvokeFunction",
                "Principal": _PRINCIPAL,
                "SourceArn": {"Fn::Join": ["", source]},
            }
            name = f"{naming.function_id(trigger.key)}InvokePermission"
            yield Resource(name, "AWS::Lambda::Permission", properties, trigger.path)

    def role_statements(
        self, triggers: Sequence[Trigger[CloudFrontEvent]]
    ) -> Iterator[dict[str, Any]]:
        """None of one function's."""
        yield from ()

    @override
    def shared_role_statements(
        self, triggers: Sequence[Trigger[CloudFrontEvent]]
    ) -> Iterator[dict[str, Any]]:
        if triggers:  # the log is in the region that is nearest to the viewer
            actions = ["CreateLogGroup", "CreateLogStream", "PutLogEvents", "TagResource"]
            yield {
                "Effect": "Allow",
                "Action": [f"logs:{action}" for action in actions],
                "Resource": [{"Fn::Sub": "arn:${AWS::Partition}:logs:*:*:*"}],
            }

    @override
    def role_principals(self, triggers: Sequence[Trigger[CloudFrontEvent]]) -> Iterator[str]:
        if triggers:
            yield _PRINCIPAL

    @override
    def resources(
        self,
        triggers: Sequence[Trigger[CloudFrontEvent]],
        service: Service,
        document: Document,
    ) -> Iterator[Resource]:
        provider = service.provider
        for name, policy in provider.setting("cloudFront").cachePolicies.items():
            config = policy.model_dump(exclude_none=True)
            config["Name"] = f"{service.service}-{provider.stage}-{name}"
            yield Resource(
                _policy_id(name),
                "AWS::CloudFront::CachePolicy",
                {"CachePolicyConfig": config},
                ("provider", "cloudFront", "cachePolicies", name),
            )
        for trigger in _one_of_each(triggers):
            description = service.functions[trigger.key].description
            version: dict[str, Any] = {"FunctionName": {"Ref": naming.function_id(trigger.key)}}
            if description:
                version["Description"] = description
            name = _version_id(trigger.key)
            yield Resource(name, "AWS::Lambda::Version", version, trigger.path)
        if triggers:
            config = {
                "Comment": f"{service.service} {provider.stage}",
                "Enabled": True,
                **_Distribution(triggers, document).config(),
            }
            yield Resource(
                _DISTRIBUTION,
                "AWS::CloudFront::Distribution",
                {"DistributionConfig": config},
                triggers[0].path,
            )

    @override
    def example(
        self, trigger: Trigger[CloudFrontEvent], service: Service, settings: Settings
    ) -> Example:
        comment = f"{service.service} {service.provider.stage}"
        query = f"DistributionList.Items[?Comment=='{comment}'].DomainName"
        listed = f'cloudfront list-distributions --query "{query}" --output text'
        pattern = trigger.event.pathPattern or "/"
        path = service.samples.filled(pattern)
        path = path if path.startswith("/") else f"/{path}"
        host = f'-H "Host: $({awslocal(settings)} {listed})"'
        return Example(
            f"CloudFront {trigger.event.eventType} {pattern}",
            f"curl -i {host} {settings.http_api_url}{path}",
        )

    @override
    def endpoints(self, settings: Settings) -> list[Endpoint]:
        """Every distribution of the running stack; none when it does not answer."""
        from bootstrap.gateway import listed  # a check imports no HTTP

        return [
            Endpoint("CloudFront", f"{one['address']}  ({one['comment']}, {one['domain']})")
            for one in listed(settings, "/_trigger_stack/distributions")
        ]


class _Distribution:
    """The distribution of all events, as the framework puts it together."""

    def __init__(self, triggers: Sequence[Trigger[CloudFrontEvent]], document: Document) -> None:
        self._document = document
        self._origins: list[dict[str, Any]] = []
        self._behaviors: list[tuple[dict[str, Any], Trigger[CloudFrontEvent]]] = []
        self._default: str | None = None
        for trigger in triggers:
            self._add(trigger)

    def _add(self, trigger: Trigger[CloudFrontEvent]) -> None:
        event = trigger.event
        origin = _merged(self._origins, _origin(event.origin), "Id")
        if event.isDefaultOrigin:
            if self._default not in (None, origin["Id"]):
                self._document.fail("isDefaultOrigin is there for two origins.", *trigger.path)
            self._default = origin["Id"]
        behavior = _behavior(event, origin["Id"], trigger.key)
        for other, _ in self._behaviors:
            same = ("PathPattern", "TargetOriginId")
            if all(other.get(name) == behavior.get(name) for name in same):
                _extend(other, behavior)
                points = [one["EventType"] for one in other["LambdaFunctionAssociations"]]
                if len(set(points)) < len(points):
                    self._document.fail(
                        f"two functions are at the {event.eventType} of one cache behavior.",
                        *trigger.path,
                    )
                return
            if other.get("PathPattern") == behavior.get("PathPattern"):
                self._document.fail(
                    f"two cache behaviors have the path pattern {event.pathPattern or 'none'}:"
                    " their origins differ.",
                    *trigger.path,
                )
        self._behaviors.append((behavior, trigger))

    def config(self) -> dict[str, Any]:
        """``Origins``, ``DefaultCacheBehavior`` and ``CacheBehaviors``."""
        behaviors = [behavior for behavior, _ in self._behaviors]
        behaviors.sort(key=lambda behavior: "PathPattern" in behavior)
        if "PathPattern" in behaviors[0]:
            if self._default is None and len(self._origins) > 1:
                self._document.fail(
                    "there are several origins: say isDefaultOrigin of one.",
                    *self._behaviors[0][1].path,
                )
            left_out = ("PathPattern", "LambdaFunctionAssociations")
            default = {k: v for k, v in behaviors[0].items() if k not in left_out}
            default["TargetOriginId"] = self._default or self._origins[0]["Id"]
            behaviors.insert(0, default)
        config: dict[str, Any] = {
            "DefaultCacheBehavior": behaviors[0],
            "Origins": self._origins,
        }
        if len(behaviors) > 1:
            config["CacheBehaviors"] = behaviors[1:]
        return config


def _one_of_each(
    triggers: Sequence[Trigger[CloudFrontEvent]],
) -> list[Trigger[CloudFrontEvent]]:
    """The first trigger of each function."""
    return list({trigger.key: trigger for trigger in reversed(triggers)}.values())[::-1]


def _version_id(key: str) -> str:
    return f"{naming.normalized(key)}LambdaVersion"


def _policy_id(name: str) -> str:
    return f"CloudFrontCachePolicy{naming.normalized(name)}"


def _origin(given: str | Origin) -> dict[str, Any]:
    if isinstance(given, Origin):
        origin = given.model_dump(exclude_none=True)
    else:
        url = urlsplit(given)
        origin = {"DomainName": url.hostname}
        if len(url.path) > 1:
            origin["OriginPath"] = url.path
        if url.scheme == "s3":
            origin["S3OriginConfig"] = {}
        else:
            origin["CustomOriginConfig"] = {"OriginProtocolPolicy": "match-viewer"}
    domain = origin["DomainName"]
    if not isinstance(domain, str):
        domain = naming.alphanumeric(json.dumps(domain, separators=(",", ":")))
    kind = "s3" if "S3OriginConfig" in origin else "custom"
    origin["Id"] = f"{kind}/{domain}{origin.get('OriginPath', '')}"
    return origin


def _behavior(event: CloudFrontEvent, origin_id: str, key: str) -> dict[str, Any]:
    given = event.behavior.model_dump(exclude_none=True)
    behavior: dict[str, Any] = {"ViewerProtocolPolicy": "allow-all", **given}
    legacy = ("ForwardedValues", "MaxTTL", "MinTTL", "DefaultTTL")
    if (policy := event.cachePolicy) is not None:
        named = {"Ref": _policy_id(policy.name)} if policy.name else None
        behavior["CachePolicyId"] = policy.id or named
    elif "CachePolicyId" not in given and not given.keys() & set(legacy):
        behavior["CachePolicyId"] = _CACHING_OPTIMIZED
    association: dict[str, Any] = {
        "EventType": event.eventType,
        "LambdaFunctionARN": {"Ref": _version_id(key)},
    }
    if event.includeBody is not None:
        association["IncludeBody"] = event.includeBody
    behavior["TargetOriginId"] = origin_id
    behavior["LambdaFunctionAssociations"] = [association]
    if event.pathPattern:
        behavior["PathPattern"] = event.pathPattern
    return behavior


def _merged(known: list[dict[str, Any]], new: dict[str, Any], name: str) -> dict[str, Any]:
    """The item that has the same name, extended, or the new one, added."""
    for one in known:
        if one[name] == new[name]:
            _extend(one, new)
            return one
    known.append(new)
    return new


def _extend(target: dict[str, Any], source: dict[str, Any]) -> None:
    """Add what is missing: items of lists, keys of mappings; what is there stays."""
    for key, value in source.items():
        present = target.get(key)
        if isinstance(present, list) and isinstance(value, list):
            target[key] = present + [one for one in value if one not in present]
        elif isinstance(present, dict) and isinstance(value, dict):
            _extend(present, value)
        elif present is None:
            target[key] = value

"""A distribution as the engine knows it.

AWS topics: CloudFront API Reference, "DistributionConfig", "CacheBehavior", "Origin",
"CachePolicyConfig", "OriginRequestPolicyConfig" and "CustomErrorResponse".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trigger_stack_engine.front_doors.cloudfront.paths import PathPattern, wildcard
from trigger_stack_engine.front_doors.core.message import Headers

type Document = Mapping[str, Any]

NONE: Final = "none"
WHITELIST: Final = "whitelist"
ALL_EXCEPT: Final = "allExcept"
ALL: Final = "all"
ALL_VIEWER: Final = "allViewer"
#: All of the viewer's headers, and CloudFront's own that are listed.
ALL_VIEWER_AND_SOME: Final = "allViewerAndWhitelistCloudFront"

VIEWER_REQUEST: Final = "viewer-request"
ORIGIN_REQUEST: Final = "origin-request"
ORIGIN_RESPONSE: Final = "origin-response"
VIEWER_RESPONSE: Final = "viewer-response"

_DAY_S: Final = 86_400
_YEAR_S: Final = 365 * _DAY_S
_ERROR_TTL_S: Final = 10


def items(container: Document | None) -> list[Any]:
    """The items of one of CloudFront's counted lists."""
    return list((container or {}).get("Items") or [])


@dataclass(frozen=True, slots=True)
class Selection:
    """Which headers, cookies or query strings count.

    Attributes:
        kind: ``none``, ``whitelist``, ``allExcept`` or ``all``; for headers also ``allViewer`` and
            ``allViewerAndWhitelistCloudFront``.
        names: What the kind is about; ``*`` and ``?`` are wildcards in names of cookies.
    """

    kind: str = NONE
    names: tuple[str, ...] = ()

    def includes(self, name: str) -> bool:
        """Whether a header, cookie or query string of this name counts."""
        if self.kind == NONE:
            return False
        if self.kind in (ALL, ALL_VIEWER, ALL_VIEWER_AND_SOME):
            return True
        listed = any(wildcard(pattern, name) for pattern in self.names)
        return listed == (self.kind == WHITELIST)

    def includes_header(self, name: str) -> bool:
        """The same, whatever the casing."""
        return Selection(self.kind, tuple(n.lower() for n in self.names)).includes(name.lower())


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """What the cache key has in it, and how long objects stay; times are in seconds.

    Attributes:
        legacy: Whether it stands in the behaviour itself (``ForwardedValues``).
        forwarded_queries: Query strings that the origin gets; those in the key, unless legacy.
    """

    min_ttl: int
    default_ttl: int
    max_ttl: int
    headers: Selection
    cookies: Selection
    queries: Selection
    forwarded_queries: Selection
    gzip: bool
    brotli: bool
    legacy: bool = False

    @property
    def stores(self) -> bool:
        """Whether anything may be kept."""
        return self.max_ttl > 0

    @classmethod
    def from_policy(cls, config: Document) -> CachePolicy:
        """From a ``CachePolicyConfig``."""
        key = config.get("ParametersInCacheKeyAndForwardedToOrigin") or {}
        cookies, queries = key.get("CookiesConfig") or {}, key.get("QueryStringsConfig") or {}
        headers = key.get("HeadersConfig") or {}
        kept = Selection(
            queries.get("QueryStringBehavior", NONE), tuple(items(queries.get("QueryStrings")))
        )
        minimum = int(config.get("MinTTL") or 0)
        default = config.get("DefaultTTL")
        maximum = config.get("MaxTTL")
        default_ttl = max(minimum, _DAY_S) if default is None else int(default)
        return cls(
            min_ttl=minimum,
            default_ttl=default_ttl,
            max_ttl=max(minimum, default_ttl, _YEAR_S) if maximum is None else int(maximum),
            headers=Selection(
                headers.get("HeaderBehavior", NONE), tuple(items(headers.get("Headers")))
            ),
            cookies=Selection(
                cookies.get("CookieBehavior", NONE), tuple(items(cookies.get("Cookies")))
            ),
            queries=kept,
            forwarded_queries=kept,
            gzip=bool(key.get("EnableAcceptEncodingGzip")),
            brotli=bool(key.get("EnableAcceptEncodingBrotli")),
        )

    @classmethod
    def from_behavior(cls, behavior: Document) -> CachePolicy:
        """From ``ForwardedValues`` and the times of a cache behaviour."""
        values = behavior.get("ForwardedValues") or {}
        cookies = values.get("Cookies") or {}
        listed = tuple(items(cookies.get("WhitelistedNames")))
        headers = tuple(items(values.get("Headers")))
        names = tuple(items(values.get("QueryStringCacheKeys")))
        forwards = bool(values.get("QueryString"))
        queries = Selection(ALL if forwards else NONE)
        everything = "*" in headers  # then nothing is kept
        compress = bool(behavior.get("Compress"))
        minimum = 0 if everything else int(behavior.get("MinTTL") or 0)
        default, maximum = behavior.get("DefaultTTL"), behavior.get("MaxTTL")
        default_ttl = max(minimum, _DAY_S) if default is None else int(default)
        max_ttl = max(default_ttl, _YEAR_S) if maximum is None else int(maximum)
        return cls(
            min_ttl=minimum,
            default_ttl=0 if everything else default_ttl,
            max_ttl=0 if everything else max_ttl,
            headers=Selection(ALL) if everything else Selection(WHITELIST, headers),
            cookies=Selection(cookies.get("Forward", NONE), listed),
            queries=Selection(WHITELIST, names) if forwards and names else queries,
            forwarded_queries=queries,
            gzip=compress,
            brotli=False,
            legacy=True,
        )


@dataclass(frozen=True, slots=True)
class OriginRequestPolicy:
    """What the origin gets beyond the cache key."""

    headers: Selection = Selection()
    cookies: Selection = Selection()
    queries: Selection = Selection()

    @classmethod
    def from_config(cls, config: Document) -> OriginRequestPolicy:
        """From an ``OriginRequestPolicyConfig``."""
        headers = config.get("HeadersConfig") or {}
        cookies, queries = config.get("CookiesConfig") or {}, config.get("QueryStringsConfig") or {}
        return cls(
            Selection(headers.get("HeaderBehavior", NONE), tuple(items(headers.get("Headers")))),
            Selection(cookies.get("CookieBehavior", NONE), tuple(items(cookies.get("Cookies")))),
            Selection(
                queries.get("QueryStringBehavior", NONE), tuple(items(queries.get("QueryStrings")))
            ),
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a behaviour gets its objects from; times are in seconds.

    Attributes:
        is_s3: Whether it is a bucket (``S3OriginConfig``).
        access: ``control`` (origin access control that signs), ``identity`` (origin access
            identity) or ``none``: how requests to the bucket say who they are from.
        identity: Id of the origin access identity.
        custom_headers: Sent with each request, in place of the viewer's of the same names.
    """

    origin_id: str
    domain: str
    path: str = ""
    custom_headers: Headers = field(default_factory=list)
    is_s3: bool = False
    access: str = NONE
    identity: str = ""
    protocol_policy: str = "http-only"
    http_port: int = 80
    https_port: int = 443
    ssl_protocols: tuple[str, ...] = ()
    read_timeout_s: float = 30
    keepalive_s: int = 5
    connect_timeout_s: float = 10
    attempts: int = 3

    @classmethod
    def from_document(cls, document: Document) -> Origin:
        """From an ``Origin`` with ``Access``: what its origin access control says."""
        custom, bucket = document.get("CustomOriginConfig"), document.get("S3OriginConfig")
        identity = (bucket or {}).get("OriginAccessIdentity") or ""
        access = document.get("Access") or (NONE if not identity else "identity")
        timeouts = custom or bucket or {}
        config = custom or {}
        return cls(
            origin_id=document["Id"],
            domain=document["DomainName"].lower(),
            path=document.get("OriginPath") or "",
            custom_headers=[
                (one["HeaderName"], one["HeaderValue"])
                for one in items(document.get("CustomHeaders"))
            ],
            is_s3=custom is None,
            access=access,
            identity=identity.rpartition("/")[2],
            protocol_policy=config.get("OriginProtocolPolicy", "http-only"),
            http_port=int(config.get("HTTPPort") or 80),
            https_port=int(config.get("HTTPSPort") or 443),
            ssl_protocols=tuple(items(config.get("OriginSslProtocols"))),
            read_timeout_s=float(timeouts.get("OriginReadTimeout") or 30),
            keepalive_s=int(config.get("OriginKeepaliveTimeout") or 5),
            connect_timeout_s=float(document.get("ConnectionTimeout") or 10),
            attempts=int(document.get("ConnectionAttempts") or 3),
        )


@dataclass(frozen=True, slots=True)
class EdgeFunction:
    """A function at one of the four points.

    Attributes:
        arn: With the version.
        function_arn: Without.
        version: Number of the version.
        include_body: Whether the event has the request's body.
    """

    arn: str
    function_arn: str
    version: str
    include_body: bool

    @classmethod
    def from_document(cls, document: Document) -> EdgeFunction:
        """From a ``LambdaFunctionAssociation``."""
        arn = document["LambdaFunctionARN"]
        function_arn, _, version = arn.rpartition(":")
        return cls(arn, function_arn, version, bool(document.get("IncludeBody")))


@dataclass(frozen=True, slots=True)
class Behavior:
    """A cache behaviour.

    Attributes:
        pattern: ``*`` is the default one's.
        functions: By point.
        response_headers: A ``ResponseHeadersPolicyConfig``, or empty.
    """

    pattern: PathPattern
    target: str
    viewer_protocol: str
    allowed: frozenset[str]
    cached: frozenset[str]
    compress: bool
    cache: CachePolicy
    origin_request: OriginRequestPolicy
    response_headers: Document
    functions: dict[str, EdgeFunction]

    @property
    def forwards_cookies(self) -> bool:
        """Whether origins get cookies; without them no viewer gets those that an origin sets."""
        return (self.cache.cookies.kind, self.origin_request.cookies.kind) != (NONE, NONE)

    @classmethod
    def from_document(cls, document: Document, policies: Document) -> Behavior:
        """From a ``CacheBehavior``, and the policies that it may name."""
        methods = document.get("AllowedMethods") or {}
        cached = items(methods.get("CachedMethods")) or ["GET", "HEAD"]
        if policy_id := document.get("CachePolicyId"):
            cache = CachePolicy.from_policy(policies["cache"][policy_id])
        else:
            cache = CachePolicy.from_behavior(document)
        request_policy = OriginRequestPolicy()
        if policy_id := document.get("OriginRequestPolicyId"):
            request_policy = OriginRequestPolicy.from_config(policies["origin_request"][policy_id])
        response_headers: Document = {}
        if policy_id := document.get("ResponseHeadersPolicyId"):
            response_headers = policies["response_headers"][policy_id]
        return cls(
            pattern=PathPattern(document.get("PathPattern") or "*"),
            target=document["TargetOriginId"],
            viewer_protocol=document.get("ViewerProtocolPolicy") or "allow-all",
            allowed=frozenset(items(methods) or ["GET", "HEAD"]),
            cached=frozenset(cached),
            compress=bool(document.get("Compress")),
            cache=cache,
            origin_request=request_policy,
            response_headers=response_headers,
            functions={
                one["EventType"]: EdgeFunction.from_document(one)
                for one in items(document.get("LambdaFunctionAssociations"))
            },
        )


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What is done about a status of an origin (``CustomErrorResponse``).

    Attributes:
        ttl_s: Seconds that the error is kept.
        path: Path of the page that the viewer gets instead; empty: the origin's own response.
        status: Status of that page.
    """

    ttl_s: int
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class OriginGroup:
    """Origins of which the second is asked when the first fails."""

    members: tuple[str, ...]
    statuses: frozenset[int]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution.

    Attributes:
        port: Of this machine.
        behaviors: In the order in which they are tried; the last one holds for everything.
    """

    distribution_id: str
    arn: str
    domain: str
    port: int
    enabled: bool
    aliases: tuple[str, ...]
    root_object: str
    behaviors: tuple[Behavior, ...]
    origins: dict[str, Origin]
    groups: dict[str, OriginGroup]
    errors: dict[int, ErrorPage]

    @property
    def account(self) -> str:
        """Account id."""
        return self.arn.split(":")[4]

    def behavior(self, path: str) -> Behavior:
        """The cache behaviour for a path, percent-encoded and without the query."""
        return next(one for one in self.behaviors if one.pattern.matches(path))

    def names(self, host: str) -> bool:
        """Whether a ``Host``, without a port, is this distribution's."""
        name = host.lower()
        return name == self.domain or any(
            name == alias or (alias.startswith("*.") and name.partition(".")[2] == alias[2:])
            for alias in self.aliases
        )

    def allows_origin(self, path: str, origin: str) -> bool:
        """Whether the response headers policy for a path lets pages of an ``Origin`` read it."""
        cors = self.behavior(path).response_headers.get("CorsConfig") or {}
        allowed = items(cors.get("AccessControlAllowOrigins"))
        return any(origin_fits(pattern, origin) for pattern in allowed)

    def candidates(self, target: str) -> list[Origin]:
        """The origins to ask, in order, for a behaviour's target."""
        group = self.groups.get(target)
        return [self.origins[name] for name in (group.members if group else (target,))]

    @classmethod
    def from_document(cls, document: Document) -> Distribution:
        """From ``{id, arn, domain, port, config, policies}``.

        ``config`` is a ``DistributionConfig``; ``policies`` has the configurations of those that it
        names: ``{cache, origin_request, response_headers}``, each by id.
        """
        config, policies = document["config"], document["policies"]
        behaviors = [*items(config.get("CacheBehaviors")), config["DefaultCacheBehavior"]]
        return cls(
            distribution_id=document["id"],
            arn=document["arn"],
            domain=document["domain"].lower(),
            port=document["port"],
            enabled=bool(config["Enabled"]),
            aliases=tuple(alias.lower() for alias in items(config.get("Aliases"))),
            root_object=(config.get("DefaultRootObject") or "").lstrip("/"),
            behaviors=tuple(Behavior.from_document(one, policies) for one in behaviors),
            origins={one["Id"]: Origin.from_document(one) for one in items(config.get("Origins"))},
            groups={
                group["Id"]: OriginGroup(
                    tuple(one["OriginId"] for one in items(group["Members"])),
                    frozenset(items(group["FailoverCriteria"]["StatusCodes"])),
                )
                for group in items(config.get("OriginGroups"))
            },
            errors={
                int(one["ErrorCode"]): _error_page(one)
                for one in items(config.get("CustomErrorResponses"))
            },
        )


def origin_fits(pattern: str, origin: str) -> bool:
    """Whether an ``Origin`` is one of ``AccessControlAllowOrigins``: ``*``, ``*.shop.example``."""
    if pattern == "*" or pattern.lower() == origin.lower():
        return True
    scheme, mark, host = origin.lower().partition("://")
    wanted_scheme, wanted_mark, wanted = pattern.lower().partition("://")
    if not wanted_mark:
        wanted = wanted_scheme
    elif wanted_scheme != scheme:
        return False
    if wanted.startswith("*."):
        return bool(mark) and host.endswith(wanted[1:])
    return bool(mark) and host == wanted


def _error_page(document: Document) -> ErrorPage:
    ttl = document.get("ErrorCachingMinTTL")
    code = int(document["ErrorCode"])
    return ErrorPage(
        ttl_s=_ERROR_TTL_S if ttl is None else int(ttl),
        path=document.get("ResponsePagePath") or "",
        status=int(document.get("ResponseCode") or code),
    )

"""What is refused of a distribution: by AWS, and what this stack would not do.

AWS topics: CloudFront API Reference, "CreateDistribution" (errors) and "UpdateDistribution", and
Developer Guide, "Quotas" and "Path pattern".
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import Any, Final

from trigger_stack.services.errors import ServiceError

type Config = dict[str, Any]

_READ: Final = frozenset({"GET", "HEAD"})
_READ_AND_OPTIONS: Final = _READ | {"OPTIONS"}
_ALL: Final = _READ_AND_OPTIONS | {"PUT", "PATCH", "POST", "DELETE"}
_POINTS: Final = ("viewer-request", "origin-request", "origin-response", "viewer-response")
_PATTERN: Final = re.compile(r"(?:[A-Za-z0-9_.*?$/~\"'@:+,;=!()&%-])+")
#: With a port for servers of this machine, as ``DNSName`` of a load balancer has it.
_DOMAIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})(?::[0-9]{1,5})?")
_FAILOVER: Final = frozenset({400, 403, 404, 416, 429, 500, 502, 503, 504})
_ERRORS: Final = frozenset({400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504})
#: Settings that would change who gets what, and are not done here.
_REFUSED: Final = (
    ("ViewerMtlsConfig", "certificates of viewers"),
    ("ContinuousDeploymentPolicyId", "continuous deployment"),
    ("TenantConfig", "multi-tenant distributions"),
    ("ConnectionFunctionAssociation", "connection functions"),
)


def items(container: Config | None) -> list[Any]:
    """The items of one of CloudFront's counted lists."""
    return list((container or {}).get("Items") or [])


def behaviors(config: Config) -> Iterator[Config]:
    """Every cache behaviour of a distribution, the default one last."""
    yield from items(config.get("CacheBehaviors"))
    yield config["DefaultCacheBehavior"]


def check(
    config: Config,
    *,
    cache: Container[str],
    origin_request: Container[str],
    response_headers: Container[str],
    access_controls: Container[str],
    identities: Container[str],
) -> None:
    """Check a ``DistributionConfig``.

    Args:
        cache: Ids of the cache policies that there are; the others alike.

    Raises:
        ServiceError: AWS or this stack refuses it.
    """
    for name, what in _REFUSED:
        if config.get(name):
            raise not_here(f"{name}: {what}")
    restrictions = (config.get("Restrictions") or {}).get("GeoRestriction") or {}
    if restrictions.get("RestrictionType", "none") != "none":
        raise not_here("GeoRestriction: nothing here knows where a viewer is")
    targets = _check_origins(config, access_controls, identities)
    targets |= _check_groups(config, targets)
    seen: set[str] = set()
    for behavior in behaviors(config):
        pattern = behavior.get("PathPattern")
        if pattern is not None:
            if len(pattern) > 255 or not _PATTERN.fullmatch(pattern):
                raise invalid(f"The parameter PathPattern contains invalid characters: {pattern}")
            if pattern in seen:
                raise invalid(f"The path pattern {pattern} is there twice.")
            seen.add(pattern)
        if behavior["TargetOriginId"] not in targets:
            raise ServiceError(
                "NoSuchOrigin",
                "One or more of your origins or origin groups do not exist:"
                f" {behavior['TargetOriginId']}",
                404,
            )
        _check_behavior(behavior, cache, origin_request, response_headers)
    for one in items(config.get("CustomErrorResponses")):
        _check_error_response(one)


def _check_origins(
    config: Config, access_controls: Container[str], identities: Container[str]
) -> set[str]:
    origins = items(config.get("Origins"))
    if not origins:
        raise invalid("The parameter Origins must have at least one item.")
    ids: set[str] = set()
    for origin in origins:
        if origin["Id"] in ids:
            raise invalid(f"The origin id {origin['Id']} is there twice.")
        ids.add(origin["Id"])
        if origin.get("VpcOriginConfig"):
            raise not_here("VpcOriginConfig: networks of their own")
        if ("S3OriginConfig" in origin) == ("CustomOriginConfig" in origin):
            raise invalid(
                "Exactly one of CustomOriginConfig, VpcOriginConfig and S3OriginConfig must be"
                " specified"
            )
        if not _DOMAIN.fullmatch(origin["DomainName"]):
            raise invalid(
                f"The parameter origin name must be a domain name, not {origin['DomainName']}."
            )
        path = origin.get("OriginPath") or ""
        if path and (not path.startswith("/") or path.endswith("/")):
            raise invalid("The parameter OriginPath must begin with / and must not end with it.")
        control = origin.get("OriginAccessControlId")
        if control and control not in access_controls:
            raise ServiceError(
                "InvalidOriginAccessControl", f"There is no origin access control {control}.", 400
            )
        identity = (origin.get("S3OriginConfig") or {}).get("OriginAccessIdentity") or ""
        if identity and control:
            raise invalid("An origin has an access control or an access identity, not both.")
        if identity and identity.removeprefix("origin-access-identity/cloudfront/") not in (
            identities
        ):
            raise ServiceError(
                "InvalidOriginAccessIdentity",
                "The specified origin access identity does not exist or is not valid.",
            )
    return ids


def _check_groups(config: Config, origins: set[str]) -> set[str]:
    ids: set[str] = set()
    for group in items(config.get("OriginGroups")):
        members = [one["OriginId"] for one in items(group["Members"])]
        if len(members) != 2 or set(members) - origins:
            raise invalid(f"The origin group {group['Id']} must have two origins that there are.")
        if group.get("SelectionCriteria", "default") != "default":
            raise not_here("SelectionCriteria of origin groups")
        statuses = {int(one) for one in items(group["FailoverCriteria"]["StatusCodes"])}
        if not statuses or statuses - _FAILOVER:
            raise invalid(f"The status codes of the origin group {group['Id']} are not valid.")
        ids.add(group["Id"])
    return ids


def _check_behavior(
    behavior: Config,
    cache: Container[str],
    origin_request: Container[str],
    response_headers: Container[str],
) -> None:
    _check_features(behavior)
    _check_methods(behavior.get("AllowedMethods"))
    policy, values = behavior.get("CachePolicyId"), behavior.get("ForwardedValues")
    if policy and values is not None:
        raise invalid("The parameter ForwardedValues cannot be used when a cache policy is.")
    if not policy and values is None:
        raise invalid("The parameter ForwardedValues is required.")
    for name, known, code in (
        ("CachePolicyId", cache, "NoSuchCachePolicy"),
        ("OriginRequestPolicyId", origin_request, "NoSuchOriginRequestPolicy"),
        ("ResponseHeadersPolicyId", response_headers, "NoSuchResponseHeadersPolicy"),
    ):
        wanted = behavior.get(name)
        if wanted and wanted not in known:
            raise ServiceError(code, f"There is no policy {wanted} ({name}).", 404)
    points = []
    for one in items(behavior.get("LambdaFunctionAssociations")):
        points.append(one["EventType"])
        if one["EventType"] not in _POINTS:
            raise lambda_error(f"The event type {one['EventType']} is not valid.")
        if one.get("IncludeBody") and not one["EventType"].endswith("-request"):
            raise lambda_error("IncludeBody is only allowed for requests.")
    if len(set(points)) < len(points):
        raise lambda_error("There may be one function for each event type of a cache behavior.")


def _check_features(behavior: Config) -> None:
    """Refuse what would change who gets what, and is not done here."""
    for is_so, what in (
        (
            items(behavior.get("TrustedSigners")) or items(behavior.get("TrustedKeyGroups")),
            "signed URLs and cookies: the content would be open to everybody",
        ),
        (items(behavior.get("FunctionAssociations")), "CloudFront Functions: use Lambda@Edge"),
        (behavior.get("FieldLevelEncryptionId"), "field-level encryption"),
        (behavior.get("SmoothStreaming"), "Smooth Streaming"),
        ((behavior.get("GrpcConfig") or {}).get("Enabled"), "gRPC"),
    ):
        if is_so:
            raise not_here(what)


def _check_methods(methods: Config | None) -> None:
    if methods is None:
        return
    allowed = frozenset(items(methods))
    if allowed not in (_READ, _READ_AND_OPTIONS, _ALL):
        raise invalid("The parameter AllowedMethods is not one of the three sets of methods.")
    cached = frozenset(items(methods.get("CachedMethods")) or _READ)
    if cached not in (_READ, _READ_AND_OPTIONS) or cached - allowed:
        raise invalid("The parameter CachedMethods is not valid.")


def _check_error_response(one: Config) -> None:
    code, path, status = one["ErrorCode"], one.get("ResponsePagePath"), one.get("ResponseCode")
    if int(code) not in _ERRORS:
        raise ServiceError("InvalidErrorCode", f"The error code {code} is not valid.")
    if bool(path) != bool(status):
        raise invalid("ResponsePagePath and ResponseCode go together.")
    if path and not path.startswith("/"):
        raise invalid("The parameter ResponsePagePath must begin with /.")
    if status and not re.fullmatch(r"[2-5][0-9]{2}", str(status), re.ASCII):
        raise ServiceError("InvalidResponseCode", f"The response code {status} is not valid.")


def invalid(message: str) -> ServiceError:
    """``InvalidArgument``."""
    return ServiceError("InvalidArgument", message)


def lambda_error(message: str) -> ServiceError:
    """``InvalidLambdaFunctionAssociation``."""
    return ServiceError("InvalidLambdaFunctionAssociation", message)


def not_here(what: str) -> ServiceError:
    """501: AWS has it, this stack has not. Better than to accept and ignore it."""
    return ServiceError("UnsupportedOperation", f"Not part of this stack: {what}.", 501)

"""The operations on distributions and invalidations.

AWS topics: CloudFront API Reference, "CreateDistribution", "UpdateDistribution",
"DeleteDistribution", "CreateInvalidation" and "TagResource". A change is served when its caller
has an answer: the status of a distribution is ``Deployed``, that of an invalidation ``Completed``.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from trigger_stack.services.cloudfront import items as kinds
from trigger_stack.services.cloudfront.edge_functions import (
    FunctionFacts,
    check_arn,
    check_function,
)
from trigger_stack.services.cloudfront.items import Items, check_version
from trigger_stack.services.cloudfront.models import (
    Accounts,
    Config,
    Distribution,
    Invalidation,
    new_domain,
    new_id,
    now,
)
from trigger_stack.services.cloudfront.settings import Settings
from trigger_stack.services.cloudfront.validation import behaviors, check, invalid, items
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Answer, Caller, Request, operation

COMPLETED = "Completed"
_BASE = "https://cloudfront.amazonaws.com/2020-05-31"
#: What AWS fills in.
_DEFAULTS: Config = {
    "Aliases": {"Quantity": 0},
    "DefaultRootObject": "",
    "OriginGroups": {"Quantity": 0},
    "CacheBehaviors": {"Quantity": 0},
    "CustomErrorResponses": {"Quantity": 0},
    "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
    "PriceClass": "PriceClass_All",
    "ViewerCertificate": {"CloudFrontDefaultCertificate": True, "MinimumProtocolVersion": "TLSv1"},
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
    "WebACLId": "",
    "HttpVersion": "http2",
    "IsIPV6Enabled": True,
    "Staging": False,
}
_METHODS = {
    "Quantity": 2,
    "Items": ["HEAD", "GET"],
    "CachedMethods": {"Quantity": 2, "Items": ["HEAD", "GET"]},
}
_BEHAVIOR_DEFAULTS: Config = {
    "TrustedSigners": {"Enabled": False, "Quantity": 0},
    "TrustedKeyGroups": {"Enabled": False, "Quantity": 0},
    "AllowedMethods": _METHODS,
    "SmoothStreaming": False,
    "Compress": False,
    "LambdaFunctionAssociations": {"Quantity": 0},
    "FunctionAssociations": {"Quantity": 0},
    "FieldLevelEncryptionId": "",
}
_ORIGIN_DEFAULTS: Config = {
    "OriginPath": "",
    "CustomHeaders": {"Quantity": 0},
    "ConnectionAttempts": 3,
    "ConnectionTimeout": 10,
    "OriginShield": {"Enabled": False},
    "OriginAccessControlId": "",
}
_CUSTOM_DEFAULTS: Config = {
    "OriginSslProtocols": {"Quantity": 3, "Items": ["TLSv1", "TLSv1.1", "TLSv1.2"]},
    "OriginReadTimeout": 30,
    "OriginKeepaliveTimeout": 5,
}

#: Takes the first port that is free for a distribution: id, ports. Raises ServiceError.
type OpenPort = Callable[[str, list[int]], int]
#: What is known of a function version, by its ARN.
type FindFunction = Callable[[str], FunctionFacts | None]


class ControlPlane:
    """The service.

    Args:
        accounts: Where everything is kept.
        settings: Where distributions are served.
        open_port: Has a port taken.
        find_function: Looks a function version up.
        changed: Called after a change, before its caller has an answer.
        invalidate: Drops objects: id of the distribution, paths.
    """

    def __init__(
        self,
        accounts: Accounts,
        settings: Settings,
        open_port: OpenPort,
        find_function: FindFunction,
        changed: Callable[[], None],
        invalidate: Callable[[str, list[str]], None],
    ) -> None:
        self._accounts = accounts
        self._settings = settings
        self._open_port = open_port
        self._find_function = find_function
        self._changed = changed
        self._invalidate = invalidate
        self.items = Items(accounts, self._is_used, changed)

    # -- distributions --------------------------------------------------------------------------

    @operation("CreateDistribution")
    def create_distribution(self, caller: Caller, request: Request) -> Answer:
        """Make a distribution; it has a port when the caller has an answer."""
        return self._create(caller, request["DistributionConfig"], {})

    @operation("CreateDistributionWithTags")
    def create_distribution_with_tags(self, caller: Caller, request: Request) -> Answer:
        """The same, with tags."""
        both = request["DistributionConfigWithTags"]
        tags = {one["Key"]: one.get("Value") or "" for one in items(both.get("Tags"))}
        return self._create(caller, both["DistributionConfig"], tags)

    def _create(self, caller: Caller, given: Config, tags: dict[str, str]) -> Answer:
        with self._accounts.lock:
            for other in self._accounts.get(caller.account_id).distributions.values():
                if other.config["CallerReference"] == given["CallerReference"]:
                    raise ServiceError(
                        "DistributionAlreadyExists",
                        "The caller reference that you are using to create a distribution is"
                        f" associated with another distribution. Already exists: {other.identity}",
                        409,
                    )
            config = self._checked(caller, given, None)
            identity = new_id()
            made = Distribution(
                identity,
                caller.account_id,
                new_domain(),
                config,
                self._open_port(identity, self._free_ports(config["CallerReference"])),
                tags=tags,
            )
            self._accounts.get(caller.account_id).distributions[identity] = made
        self._changed()
        return {**_answer(made), "Location": f"{_BASE}/distribution/{identity}"}

    def _free_ports(self, reference: str) -> list[int]:
        """The ports that are left; the same caller reference begins at the same one.

        Then a definition's distributions have the same addresses at each start, in whatever order
        they are made.
        """
        ports = self._settings.ports
        first = zlib.crc32(reference.encode()) % len(ports)
        used = {one.port for one in self._accounts.distributions()}
        return [port for port in [*ports[first:], *ports[:first]] if port not in used]

    @operation("GetDistribution")
    def get_distribution(self, caller: Caller, request: Request) -> Answer:
        """A distribution."""
        return _answer(self._find(caller, request["Id"]))

    @operation("GetDistributionConfig")
    def get_distribution_config(self, caller: Caller, request: Request) -> Answer:
        """Its configuration."""
        found = self._find(caller, request["Id"])
        return {"ETag": found.etag, "DistributionConfig": found.config}

    @operation("UpdateDistribution")
    def update_distribution(self, caller: Caller, request: Request) -> Answer:
        """Change a distribution; what is in its cache stays."""
        with self._accounts.lock:
            found = self._find(caller, request["Id"])
            check_version(request, found.etag)
            given = request["DistributionConfig"]
            if given["CallerReference"] != found.config["CallerReference"]:
                raise ServiceError("IllegalUpdate", "The caller reference cannot be changed.")
            found.config = self._checked(caller, given, found)
            found.etag, found.modified = new_id(), now()
        self._changed()
        return _answer(found)

    @operation("DeleteDistribution")
    def delete_distribution(self, caller: Caller, request: Request) -> Answer:
        """Delete a distribution that is disabled; its port is free again."""
        with self._accounts.lock:
            found = self._find(caller, request["Id"])
            check_version(request, found.etag)
            if found.config["Enabled"]:
                raise ServiceError(
                    "DistributionNotDisabled",
                    "The distribution you are trying to delete has not been disabled.",
                    409,
                )
            del self._accounts.get(caller.account_id).distributions[found.identity]
        self._changed()
        return None

    @operation("ListDistributions")
    def list_distributions(self, caller: Caller, request: Request) -> Answer:
        """Every distribution, in pages."""
        listed, page = _page(
            list(self._accounts.get(caller.account_id).distributions.values()), request
        )
        return {"DistributionList": {**page, **_counted([_summary(one) for one in listed])}}

    def _find(self, caller: Caller, identity: str) -> Distribution:
        found = self._accounts.get(caller.account_id).distributions.get(identity)
        if found is None:
            raise ServiceError(
                "NoSuchDistribution", "The specified distribution does not exist.", 404
            )
        return found

    def _checked(self, caller: Caller, given: Config, known: Distribution | None) -> Config:
        """A configuration with AWS's defaults.

        Raises:
            ServiceError: It is refused.
        """
        _check_quantities(given)
        account = caller.account_id
        check(
            given,
            cache=self.items.of(kinds.CACHE, account),
            origin_request=self.items.of(kinds.ORIGIN_REQUEST, account),
            response_headers=self.items.of(kinds.RESPONSE_HEADERS, account),
            access_controls=self.items.of(kinds.ACCESS_CONTROL, account),
            identities=self.items.of(kinds.IDENTITY, account),
        )
        self._check_aliases(given, known)
        # What was checked before stays: a function may be gone since.
        before = list(_associations(known.config)) if known else []
        for one in _associations(given):
            if one not in before:
                arn = one["LambdaFunctionARN"]
                check_arn(arn, account)
                check_function(arn, one["EventType"], self._find_function(arn))
        return _completed(given)

    def _check_aliases(self, given: Config, known: Distribution | None) -> None:
        aliases = {alias.lower() for alias in items(given.get("Aliases"))}
        certificate = given.get("ViewerCertificate") or {}
        if aliases and not (
            certificate.get("ACMCertificateArn") or certificate.get("IAMCertificateId")
        ):
            raise ServiceError(
                "InvalidViewerCertificate",
                "To add an alternate domain name (CNAME) to a CloudFront distribution, you must"
                " attach a trusted certificate that validates your authorization to use the domain"
                " name.",
            )
        for other in self._accounts.distributions():
            taken = {alias.lower() for alias in items(other.config.get("Aliases"))}
            if other is not known and aliases & taken:
                raise ServiceError(
                    "CNAMEAlreadyExists",
                    "One or more of the CNAMEs you provided are already associated with a different"
                    " resource.",
                    409,
                )

    def _is_used(self, kind: str, account_id: str, identity: str) -> bool:
        fields = {
            kinds.CACHE: "CachePolicyId",
            kinds.ORIGIN_REQUEST: "OriginRequestPolicyId",
            kinds.RESPONSE_HEADERS: "ResponseHeadersPolicyId",
        }
        for one in self._accounts.get(account_id).distributions.values():
            if kind in fields:
                if any(b.get(fields[kind]) == identity for b in behaviors(one.config)):
                    return True
            elif any(identity in _access_of(o) for o in items(one.config["Origins"])):
                return True
        return False

    # -- invalidations --------------------------------------------------------------------------

    @operation("CreateInvalidation")
    def create_invalidation(self, caller: Caller, request: Request) -> Answer:
        """Drop objects from the cache; a repeated caller reference is the first invalidation."""
        batch = request["InvalidationBatch"]
        _check_quantities(batch)
        paths, reference = items(batch["Paths"]), batch["CallerReference"]
        found = self._find(caller, request["DistributionId"])
        if not paths or any(not path.startswith("/") for path in paths):
            raise invalid("Your request contains one or more invalid invalidation paths.")
        with self._accounts.lock:
            known = next(
                (one for one in found.invalidations.values() if one.reference == reference), None
            )
            if known is not None and sorted(known.paths) != sorted(paths):
                raise invalid(
                    "Your request contains a caller reference that was used for a previous"
                    " invalidation request with different paths."
                )
        if known is None:
            self._invalidate(found.identity, paths)
            known = Invalidation(f"I{new_id()[1:]}", reference, paths)
            with self._accounts.lock:
                found.invalidations[known.identity] = known
        return {
            "Location": f"{_BASE}/distribution/{found.identity}/invalidation/{known.identity}",
            "Invalidation": _invalidation(known),
        }

    @operation("GetInvalidation")
    def get_invalidation(self, caller: Caller, request: Request) -> Answer:
        """An invalidation."""
        known = self._find(caller, request["DistributionId"]).invalidations.get(request["Id"])
        if known is None:
            raise ServiceError(
                "NoSuchInvalidation", "The specified invalidation does not exist.", 404
            )
        return {"Invalidation": _invalidation(known)}

    @operation("ListInvalidations")
    def list_invalidations(self, caller: Caller, request: Request) -> Answer:
        """The invalidations of a distribution, the newest first, in pages."""
        found = self._find(caller, request["DistributionId"])
        newest = list(found.invalidations.values())[::-1]
        listed, page = _page(newest, request)
        described = [
            {"Id": one.identity, "CreateTime": one.created, "Status": COMPLETED} for one in listed
        ]
        return {"InvalidationList": {**page, **_counted(described)}}

    # -- tags -----------------------------------------------------------------------------------

    @operation("TagResource")
    def tag_resource(self, caller: Caller, request: Request) -> Answer:
        """Add tags to a distribution."""
        tags = self._tagged(caller, request).tags
        tags |= {one["Key"]: one.get("Value") or "" for one in items(request["Tags"])}
        return None

    @operation("UntagResource")
    def untag_resource(self, caller: Caller, request: Request) -> Answer:
        """Take tags from a distribution."""
        tags = self._tagged(caller, request).tags
        for key in items(request["TagKeys"]):
            tags.pop(key, None)
        return None

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, caller: Caller, request: Request) -> Answer:
        """The tags of a distribution."""
        tags = self._tagged(caller, request).tags
        return {"Tags": {"Items": [{"Key": key, "Value": value} for key, value in tags.items()]}}

    def _tagged(self, caller: Caller, request: Request) -> Distribution:
        for one in self._accounts.get(caller.account_id).distributions.values():
            if one.arn == request["Resource"]:
                return one
        raise ServiceError("NoSuchResource", "The specified resource does not exist.", 404)

    # -- for the engine -------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """The document of ``Distributions.replace`` in the engine."""
        with self._accounts.lock:
            return {
                "host": self._settings.listen,
                "distributions": [self._described(one) for one in self._accounts.distributions()],
            }

    def _described(self, one: Distribution) -> dict[str, Any]:
        config = copy.deepcopy(one.config)
        controls = self.items.of(kinds.ACCESS_CONTROL, one.account)
        for origin in items(config["Origins"]):
            control = controls.get(origin.get("OriginAccessControlId") or "")
            if control and control.config.get("SigningBehavior") != "never":
                origin["Access"] = "control"
        policies: dict[str, dict[str, Config]] = {}
        for group, kind, name in (
            ("cache", kinds.CACHE, "CachePolicyId"),
            ("origin_request", kinds.ORIGIN_REQUEST, "OriginRequestPolicyId"),
            ("response_headers", kinds.RESPONSE_HEADERS, "ResponseHeadersPolicyId"),
        ):
            known = self.items.of(kind, one.account)
            wanted = {b[name] for b in behaviors(config) if b.get(name)}
            policies[group] = {identity: known[identity].config for identity in wanted}
        return {
            "id": one.identity,
            "arn": one.arn,
            "domain": one.domain,
            "port": one.port,
            "config": config,
            "policies": policies,
        }

    def addresses(self) -> list[dict[str, Any]]:
        """Where each distribution is served: for people."""
        return [
            {
                "id": one.identity,
                "comment": one.config["Comment"],
                "domain": one.domain,
                "address": f"http://localhost:{one.port}",
            }
            for one in self._accounts.distributions()
        ]


def _associations(config: Config) -> Iterator[Config]:
    for behavior in behaviors(config):
        yield from items(behavior.get("LambdaFunctionAssociations"))


def _access_of(origin: Config) -> tuple[str, str]:
    identity = (origin.get("S3OriginConfig") or {}).get("OriginAccessIdentity") or ""
    return origin.get("OriginAccessControlId") or "", identity.rpartition("/")[2]


def _check_quantities(node: Any) -> None:
    """Check that each counted list has as many items as it says.

    Raises:
        ServiceError: ``InconsistentQuantities``.
    """
    if isinstance(node, list):
        for one in node:
            _check_quantities(one)
    elif isinstance(node, dict):
        if "Quantity" in node and node["Quantity"] != len(node.get("Items") or []):
            raise ServiceError(
                "InconsistentQuantities",
                "The value of Quantity and the size of Items don't match.",
            )
        for one in node.values():
            _check_quantities(one)


def _completed(given: Config) -> Config:
    config = copy.deepcopy(_DEFAULTS) | given
    for behavior in behaviors(config):
        for name, value in copy.deepcopy(_BEHAVIOR_DEFAULTS).items():
            behavior.setdefault(name, value)
        behavior["AllowedMethods"].setdefault(
            "CachedMethods", copy.deepcopy(_METHODS["CachedMethods"])
        )
    for origin in items(config["Origins"]):
        for name, value in copy.deepcopy(_ORIGIN_DEFAULTS).items():
            origin.setdefault(name, value)
        if "CustomOriginConfig" in origin:
            for name, value in copy.deepcopy(_CUSTOM_DEFAULTS).items():
                origin["CustomOriginConfig"].setdefault(name, value)
    return config


def _described(one: Distribution) -> dict[str, Any]:
    return {
        "Id": one.identity,
        "ARN": one.arn,
        "Status": "Deployed",
        "LastModifiedTime": one.modified,
        "InProgressInvalidationBatches": 0,
        "DomainName": one.domain,
        "ActiveTrustedSigners": {"Enabled": False, "Quantity": 0},
        "ActiveTrustedKeyGroups": {"Enabled": False, "Quantity": 0},
        "DistributionConfig": one.config,
    }


def _answer(one: Distribution) -> dict[str, Any]:
    return {"ETag": one.etag, "Distribution": _described(one)}


def _summary(one: Distribution) -> dict[str, Any]:
    names = (
        *("Aliases", "Origins", "OriginGroups", "DefaultCacheBehavior", "CacheBehaviors"),
        *("CustomErrorResponses", "Comment", "PriceClass", "Enabled", "ViewerCertificate"),
        *("Restrictions", "WebACLId", "HttpVersion", "IsIPV6Enabled", "Staging"),
    )
    return {
        "Id": one.identity,
        "ARN": one.arn,
        "Status": "Deployed",
        "LastModifiedTime": one.modified,
        "DomainName": one.domain,
        **{name: one.config[name] for name in names},
    }


def _invalidation(one: Invalidation) -> dict[str, Any]:
    return {
        "Id": one.identity,
        "Status": COMPLETED,
        "CreateTime": one.created,
        "InvalidationBatch": {
            "CallerReference": one.reference,
            "Paths": {"Quantity": len(one.paths), "Items": one.paths},
        },
    }


def _counted(listed: list[Any]) -> dict[str, Any]:
    return {"Quantity": len(listed), **({"Items": listed} if listed else {})}


def _page[T: (Distribution, Invalidation)](
    found: list[T], request: Request
) -> tuple[list[T], dict[str, Any]]:
    """A page of a listing: ``Marker`` is the last id of the page before."""
    marker, most = request.get("Marker") or "", int(request.get("MaxItems") or 100)
    ids = [one.identity for one in found]
    first = ids.index(marker) + 1 if marker in ids else 0
    listed = found[first : first + most]
    is_cut = first + most < len(found)
    page: dict[str, Any] = {"Marker": marker, "MaxItems": most, "IsTruncated": is_cut}
    if is_cut and listed:
        page["NextMarker"] = listed[-1].identity
    return listed, page

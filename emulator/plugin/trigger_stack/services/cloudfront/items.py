"""Policies, origin access controls and origin access identities: five kinds that are kept alike.

AWS topics: CloudFront API Reference, "CreateCachePolicy", "CreateOriginRequestPolicy",
"CreateResponseHeadersPolicy", "CreateOriginAccessControl",
"CreateCloudFrontOriginAccessIdentity", and what else there is of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack.services.cloudfront import managed
from trigger_stack.services.cloudfront.models import Accounts, Item, new_id, now
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Answer, Caller, Operation, Request

#: Says whether a distribution uses an item: kind, account, id.
type IsUsed = Callable[[str, str, str], bool]


@dataclass(frozen=True)
class Kind:
    """One kind of item.

    Attributes:
        name: As operations have it: ``CachePolicy``.
        plural: As the listing operation has it.
        unique: What may not be there twice: a field of its configuration.
        missing: Error code when there is none.
        exists: Error code when there is one of that name.
        in_use: Error code when a distribution uses it.
        managed: Those of AWS.
        summary: Fields of the configuration that a listing has; empty: a listing has the whole.
    """

    name: str
    plural: str
    unique: str
    missing: str
    exists: str
    in_use: str
    managed: Mapping[str, dict[str, Any]] | None = None
    summary: tuple[str, ...] = ()

    @property
    def config(self) -> str:
        """Name of its configuration."""
        return f"{self.name}Config"


CACHE: Final = "CachePolicy"
ORIGIN_REQUEST: Final = "OriginRequestPolicy"
RESPONSE_HEADERS: Final = "ResponseHeadersPolicy"
ACCESS_CONTROL: Final = "OriginAccessControl"
IDENTITY: Final = "CloudFrontOriginAccessIdentity"


def _policy(name: str, plural: str, known: Mapping[str, dict[str, Any]]) -> Kind:
    return Kind(
        name, plural, "Name", f"NoSuch{name}", f"{name}AlreadyExists", f"{name}InUse", known
    )


KINDS: Final = {
    kind.name: kind
    for kind in (
        _policy(CACHE, "CachePolicies", managed.CACHE),
        _policy(ORIGIN_REQUEST, "OriginRequestPolicies", managed.ORIGIN_REQUEST),
        _policy(RESPONSE_HEADERS, "ResponseHeadersPolicies", managed.RESPONSE_HEADERS),
        Kind(
            ACCESS_CONTROL,
            "OriginAccessControls",
            "Name",
            "NoSuchOriginAccessControl",
            "OriginAccessControlAlreadyExists",
            "OriginAccessControlInUse",
            summary=(
                *("Description", "Name", "SigningProtocol", "SigningBehavior"),
                "OriginAccessControlOriginType",
            ),
        ),
        Kind(
            IDENTITY,
            "CloudFrontOriginAccessIdentities",
            "CallerReference",
            "NoSuchCloudFrontOriginAccessIdentity",
            "CloudFrontOriginAccessIdentityAlreadyExists",
            "CloudFrontOriginAccessIdentityInUse",
            summary=("Comment",),
        ),
    )
}


class Items:
    """The operations on items of all kinds.

    Args:
        accounts: Where they are kept.
        is_used: Whether a distribution uses one.
        changed: Called after a change, before its caller has an answer.
    """

    def __init__(self, accounts: Accounts, is_used: IsUsed, changed: Callable[[], None]) -> None:
        self._accounts = accounts
        self._is_used = is_used
        self._changed = changed

    def operations(self) -> dict[str, Operation]:
        """Their handlers, by name."""
        found: dict[str, Operation] = {}
        for kind in KINDS.values():
            for verb, handler in (
                ("Create", self._create),
                ("Get", self._get),
                ("Update", self._update),
                ("Delete", self._delete),
            ):
                found[f"{verb}{kind.name}"] = _bound(handler, kind)
            found[f"Get{kind.config}"] = _bound(self._get_config, kind)
            found[f"List{kind.plural}"] = _bound(self._list, kind)
        return found

    def of(self, kind: str, account_id: str) -> dict[str, Item]:
        """Everything of a kind that an account may use, AWS's own included."""
        known = KINDS[kind].managed or {}
        found = {
            identity: Item(identity, config, etag="E23ZP02F085DFQ", managed=True)
            for identity, config in known.items()
        }
        return found | self._own(kind, account_id)

    def _own(self, kind: str, account_id: str) -> dict[str, Item]:
        return self._accounts.get(account_id).items.setdefault(kind, {})

    def _create(self, kind: Kind, caller: Caller, request: Request) -> Answer:
        config = request[kind.config]
        with self._accounts.lock:
            own = self._own(kind.name, caller.account_id)
            for item in own.values():
                if item.config.get(kind.unique) == config.get(kind.unique):
                    if kind.name == IDENTITY and item.config == config:
                        return _answer(kind, item)
                    text = f"There is one with the same {kind.unique}: {config.get(kind.unique)}"
                    raise ServiceError(kind.exists, text, 409)
            item = Item(new_id(), config)
            own[item.identity] = item
        return {
            **_answer(kind, item),
            "Location": f"https://cloudfront.amazonaws.com/2020-05-31/{item.identity}",
        }

    def _find(self, kind: Kind, caller: Caller, request: Request) -> Item:
        item = self.of(kind.name, caller.account_id).get(request["Id"])
        if item is None:
            raise ServiceError(kind.missing, f"There is no {kind.name} {request['Id']}.", 404)
        return item

    def _get(self, kind: Kind, caller: Caller, request: Request) -> Answer:
        return _answer(kind, self._find(kind, caller, request))

    def _get_config(self, kind: Kind, caller: Caller, request: Request) -> Answer:
        item = self._find(kind, caller, request)
        return {"ETag": item.etag, kind.config: item.config}

    def _update(self, kind: Kind, caller: Caller, request: Request) -> Answer:
        with self._accounts.lock:
            item = self._changeable(kind, caller, request, "IllegalUpdate")
            item.config, item.etag, item.modified = request[kind.config], new_id(), now()
        self._changed()
        return _answer(kind, item)

    def _delete(self, kind: Kind, caller: Caller, request: Request) -> Answer:
        with self._accounts.lock:
            item = self._changeable(kind, caller, request, "IllegalDelete")
            if self._is_used(kind.name, caller.account_id, item.identity):
                raise ServiceError(kind.in_use, "A distribution uses it.", 409)
            del self._own(kind.name, caller.account_id)[item.identity]
        return None

    def _changeable(self, kind: Kind, caller: Caller, request: Request, code: str) -> Item:
        item = self._find(kind, caller, request)
        if item.managed:
            raise ServiceError(code, "AWS's managed policies cannot be changed.")
        check_version(request, item.etag)
        return item

    def _list(self, kind: Kind, caller: Caller, request: Request) -> Answer:
        wanted = request.get("Type")
        found = [
            item
            for item in self.of(kind.name, caller.account_id).values()
            if wanted is None or (wanted == "managed") == item.managed
        ]
        listed = [_listed(kind, item) for item in found]
        container: dict[str, Any] = {"MaxItems": max(100, len(listed)), "Quantity": len(listed)}
        if listed:
            container["Items"] = listed
        if kind.summary:
            container |= {"IsTruncated": False, "Marker": ""}
        return {f"{kind.name}List": container}


def check_version(request: Request, etag: str) -> None:
    """Check ``IfMatch``.

    Raises:
        ServiceError: It is missing, or another version's.
    """
    given = request.get("IfMatch")
    if not given:
        raise ServiceError(
            "InvalidIfMatchVersion",
            "The If-Match version is missing or not valid for the resource.",
        )
    if given != etag:
        raise ServiceError(
            "PreconditionFailed",
            "The request failed because it didn't meet the preconditions in one or more"
            " request-header fields.",
            412,
        )


def _bound(handler: Callable[[Kind, Caller, Request], Answer], kind: Kind) -> Operation:
    return lambda caller, request: handler(kind, caller, request)


def _described(kind: Kind, item: Item) -> dict[str, Any]:
    described: dict[str, Any] = {"Id": item.identity, kind.config: item.config}
    if not kind.summary:
        described["LastModifiedTime"] = item.modified
    if kind.name == IDENTITY:
        described["S3CanonicalUserId"] = item.canonical_user
    return described


def _answer(kind: Kind, item: Item) -> dict[str, Any]:
    return {"ETag": item.etag, kind.name: _described(kind, item)}


def _listed(kind: Kind, item: Item) -> dict[str, Any]:
    if not kind.summary:
        return {
            "Type": "managed" if item.managed else "custom",
            kind.name: _described(kind, item),
        }
    described = {name: item.config.get(name) or "" for name in kind.summary}
    described["Id"] = item.identity
    if kind.name == IDENTITY:
        described["S3CanonicalUserId"] = item.canonical_user
    return described

"""Store, change and delete a brand, with nothing lost between table and bus.

A table and a bus have no common transaction. So the write that changes the brand also stores the
changes in `unpublished`, in the same item; they leave it only once the bus has taken the event.
Whatever happens in between, the item still says what the bus has not heard, and the next write
publishes it. An event can thus be published twice, and never not at all (AWS Prescriptive
Guidance: "Transactional outbox pattern").

A deletion is such a write, too: the item loses the brand and gets `deletedAt`. It counts as no
brand from then on. It is removed by its time to live, which it gets only once the bus has taken
`BrandDeleted`. Until then it tells late events from events of a brand that never was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from boto3.dynamodb.conditions import Attr, ConditionBase
from botocore.exceptions import ClientError

from functions.shared.brand_events import DELETED, DETAIL_TYPE, brand_deleted, brand_updated
from functions.shared.brand_view import DELETED_AT, living, public_view
from functions.shared.clock import iso
from functions.shared.conditions import Conditions, brand_tag
from functions.shared.dynamodb import is_condition_failure
from functions.shared.write_errors import (
    BrandMissingError,
    ConflictError,
    PreconditionFailedError,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from functions.shared.brand_draft import BrandDraft

FIELDS = ("name", "contactEmail", "colors", "website")
ATTEMPTS = 5
#: What is left of a deleted brand is kept as long as a dead-letter queue keeps its events.
KEPT_FOR = timedelta(days=14)
_KEPT_WHEN_DELETED = {"brandId", "contactEmail"}  # whom to tell, until it is told


class Publish(Protocol):
    """Puts an event on the bus; what it raises passes through."""

    def __call__(self, detail: dict[str, Any], detail_type: str) -> object:
        """Publish an event with this detail."""
        ...


@dataclass(frozen=True)
class Written:
    """The result of a write: the item as stored, and whether the brand is new."""

    item: dict[str, Any]
    created: bool


@dataclass(frozen=True)
class BrandWriter:
    """Writes one request's brand.

    Attributes:
        brands: The table `brands`.
        publish: Takes an event. When it raises, the changes stay in `unpublished`.
        clock: Gives the present time. Each attempt asks it anew: a writer who lost a race must not
            be dated before the winner.
        correlation_id: The request's id, for the event.
        conditions: The request's; each attempt checks them anew.
    """

    brands: Table
    publish: Publish
    clock: Callable[[], datetime]
    correlation_id: str
    conditions: Conditions = field(default_factory=Conditions)

    def change(
        self,
        brand_id: str,
        draft_of: Callable[[dict[str, Any]], BrandDraft],
        *,
        create: bool,
    ) -> Written:
        """Make the brand what `draft_of` says, and publish every change the bus has not heard.

        Args:
            brand_id: A valid brand id.
            draft_of: The wanted brand, from the present item ({} when there is none). What it
                raises passes through.
            create: Whether a brand that is not there is created.

        Raises:
            BrandMissingError: There is no such brand, and none is to be created.
            ConflictError: The item changed under each of the attempts.
            PreconditionFailedError: The conditions do not hold.
            PublishError: The brand is written, the bus did not take the event.
        """
        for _ in range(ATTEMPTS):
            stored = self._read(brand_id)
            current = living(stored)
            if stored is not None and current is None and self._announce(stored):
                stored = self._read(brand_id)
                current = living(stored)
            if current is None and not create:
                raise BrandMissingError
            self._check(current)
            changes = _changes(current or {}, draft_of(current or {}))
            item = current
            if item is None or changes:
                item = self._write(brand_id, stored, changes)
                if item is None:
                    continue  # Somebody else wrote: look again at what differs.
            self._announce(item)
            return Written(item, created=current is None)
        raise ConflictError

    def delete(self, brand_id: str) -> None:
        """Delete the brand and publish `BrandDeleted`, after every update the bus has not heard.

        A brand whose deletion is not published yet is deleted again: it is published then.

        Raises:
            BrandMissingError: There is no such brand.
            ConflictError: The item changed under each of the attempts.
            PreconditionFailedError: The conditions do not hold.
            PublishError: The bus did not take an event. The next call publishes it.
        """
        for _ in range(ATTEMPTS):
            stored = self._read(brand_id)
            current = living(stored)
            if stored is not None and current is None and self._announce(stored):
                return
            if current is None:
                raise BrandMissingError
            self._check(current)
            self._announce(current)
            left = self._bury(current)
            if left is not None:
                self._announce(left)
                return
        raise ConflictError

    def _read(self, brand_id: str) -> dict[str, Any] | None:
        return self.brands.get_item(Key={"brandId": brand_id}, ConsistentRead=True).get("Item")

    def _check(self, current: dict[str, Any] | None) -> None:
        tag = None if current is None else brand_tag(public_view(current))
        unmet = self.conditions.unmet(tag)
        if unmet is None:
            return
        if current is not None:
            # A caller whose change was stored and not announced may send it again with the entity
            # tag of before. It is refused, and still it is the call that publishes the change.
            self._announce(current)
        raise PreconditionFailedError(unmet)

    def _announce(self, item: dict[str, Any]) -> bool:
        """Publish what the bus has not heard of an item; False when it has heard everything."""
        if not item.get("unpublished"):
            return False
        if DELETED_AT in item:
            detail = brand_deleted(
                item["brandId"],
                deleted_at=item[DELETED_AT],
                correlation_id=self.correlation_id,
                notify_email=item.get("contactEmail"),
            )
            self.publish(detail, DELETED)
            self._forget_brand(item)
        else:
            detail = brand_updated(
                item["brandId"],
                item["unpublished"],
                updated_at=item["updatedAt"],
                correlation_id=self.correlation_id,
                notify_email=item["contactEmail"],
            )
            self.publish(detail, DETAIL_TYPE)
            self._update(item["brandId"], item, {}, {"unpublished"})
        return True

    def _write(
        self, brand_id: str, stored: dict[str, Any] | None, changes: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Write brand and outbox in one conditional update; None when another writer was faster.

        Only this module's own attributes are touched: `palette` and `logoUrl` have other writers.
        """
        now = iso(self.clock())
        current = living(stored) or {}
        values = {field: value for field, value in changes.items() if value is not None} | {
            "version": (stored or {}).get("version", 0) + 1,
            "unpublished": current.get("unpublished", {}) | changes,
            "createdAt": current.get("createdAt", now),
            "updatedAt": now,
        }
        removed = {field for field, value in changes.items() if value is None}
        if stored is not None and not current:
            removed |= {DELETED_AT, "expiresAt"}
        return self._update(brand_id, stored, values, removed)

    def _bury(self, current: dict[str, Any]) -> dict[str, Any] | None:
        """Turn a brand into what is left of it, not announced; None when it has changed."""
        now = iso(self.clock())
        values = {
            "version": current.get("version", 0) + 1,
            "unpublished": {DELETED_AT: now},
            "updatedAt": now,
            DELETED_AT: now,
        }
        removed = current.keys() - values.keys() - _KEPT_WHEN_DELETED
        # Attributes with other writers, which may have come since the item was read.
        removed |= {"palette", "logoUrl", "logoUploadedAt"}
        return self._update(current["brandId"], current, values, removed)

    def _forget_brand(self, item: dict[str, Any]) -> None:
        """Let the time to live remove what is left of a brand, now that its end is announced."""
        values = {"expiresAt": int((self.clock() + KEPT_FOR).timestamp())}
        self._update(item["brandId"], item, values, {"unpublished", "contactEmail"})

    def _update(
        self,
        brand_id: str,
        read: dict[str, Any] | None,
        values: dict[str, Any],
        removed: set[str],
    ) -> dict[str, Any] | None:
        """Update the item if it is as it was read; None when another writer was faster."""
        if read is None:
            condition: ConditionBase = Attr("brandId").not_exists()
        elif "version" in read:
            condition = Attr("version").eq(read["version"])
        else:  # Not this module's item: it has been put into the table by hand.
            condition = Attr("brandId").exists() & Attr("version").not_exists()
        parts = []
        more: dict[str, Any] = {}
        if values:
            parts.append("SET " + ", ".join(f"#{name} = :{name}" for name in values))
            more["ExpressionAttributeValues"] = {f":{name}": one for name, one in values.items()}
        if removed:
            parts.append("REMOVE " + ", ".join(f"#{name}" for name in sorted(removed)))
        try:
            return self.brands.update_item(
                Key={"brandId": brand_id},
                UpdateExpression=" ".join(parts),
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in [*values, *removed]},
                ReturnValues="ALL_NEW",
                **more,
            )["Attributes"]
        except ClientError as error:
            if is_condition_failure(error):
                return None
            raise


def _changes(current: dict[str, Any], draft: BrandDraft) -> dict[str, Any]:
    """The fields in which `draft` differs, with their new values; None for a removed one."""
    wanted = draft.model_dump()
    return {field: wanted[field] for field in FIELDS if wanted[field] != current.get(field)}

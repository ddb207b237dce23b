"""The public representation of an item of the table `brands`."""

from typing import Any

# A list of what is shown, so that an attribute added for the platform's own use stays inside.
PUBLIC_ATTRIBUTES = (
    "brandId",
    "name",
    "contactEmail",
    "website",
    "colors",
    "palette",
    "logoUrl",
    "version",
    "createdAt",
    "updatedAt",
)
#: An item with this attribute is what a deleted brand leaves behind, for a while.
DELETED_AT = "deletedAt"


def public_view(item: dict[str, Any]) -> dict[str, Any]:
    """`item` without the platform's own attributes (`unpublished` and the like)."""
    return {name: item[name] for name in PUBLIC_ATTRIBUTES if name in item}


def living(item: dict[str, Any] | None) -> dict[str, Any] | None:
    """`item` when it is a brand; None when there is none, or only what a deleted one left."""
    return None if item is None or DELETED_AT in item else item

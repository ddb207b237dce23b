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


def public_view(item: dict[str, Any]) -> dict[str, Any]:
    """`item` without the platform's own attributes (`unpublished` and the like)."""
    return {name: item[name] for name in PUBLIC_ATTRIBUTES if name in item}

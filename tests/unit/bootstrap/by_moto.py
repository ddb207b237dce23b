"""Resources that the bootstrap makes at AWS's own addresses, where moto answers."""

from __future__ import annotations

from typing import Any

import boto3

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome, Physical


class MotoContext(Context):
    """Clients for AWS's own addresses."""

    def client(self, name: str) -> Any:
        return boto3.client(
            name,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


def ensure(context: Context, kind: str, **properties: Any) -> tuple[Outcome, Physical]:
    resource_type = RESOURCE_TYPES[kind]
    properties = resource_type.converted(properties)
    assert resource_type.problem(properties) is None
    return resource_type.ensure(context, "Thing", properties)

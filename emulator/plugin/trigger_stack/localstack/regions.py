"""Which regions a service is in is read once.

What: ``boto3.Session.get_available_regions`` and ``get_available_partitions`` answer from one
session of the process, which reads LocalStack's own copy of the service models. LocalStack's
``utils.aws.aws_stack`` makes no other.
Why: LocalStack's stores and moto's backends ask a new session for each service. Each reads a file
of a megabyte with every endpoint of AWS, and the model of the service for one word in it: a second
of the time until the stack is live.
Until: LocalStack and moto ask one session.
Test: ``tests/unit/plugin/test_regions.py``.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
from localstack.aws.spec import loader
from localstack.utils.aws import aws_stack


def read_once() -> None:
    """Patch boto3. Idempotent."""
    boto3.Session.get_available_regions = _regions_of  # type: ignore[method-assign]  # a patch
    boto3.Session.get_available_partitions = _partitions_of  # type: ignore[method-assign]  # a patch
    used = SimpleNamespace(Session=_boto3_session, session=boto3.session)
    aws_stack.boto3 = used  # type: ignore[assignment]  # all of it that is used there


def _regions_of(
    self: Any, service_name: str, partition_name: str = "aws", allow_non_regional: bool = False
) -> list[str]:
    return list(_regions(service_name, partition_name, allow_non_regional))


def _partitions_of(self: Any) -> list[str]:
    return list(_partitions())


@cache
def _boto3_session() -> Any:
    return boto3.Session()


@cache
def _session() -> Any:
    session = botocore.session.Session()
    session.register_component("data_loader", loader)
    return session


@cache
def _regions(service: str, partition: str, non_regional: bool) -> tuple[str, ...]:
    return tuple(_session().get_available_regions(service, partition, non_regional))


@cache
def _partitions() -> tuple[str, ...]:
    return tuple(_session().get_available_partitions())

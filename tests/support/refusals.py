"""What a service refuses, as its caller sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refused(call: Callable[..., Any], **request: Any) -> tuple[int, str, str]:
    """The HTTP status, the code and the message of a call that must be refused."""
    with pytest.raises(ClientError) as error:
        call(**request)
    found = error.value.response
    status = found["ResponseMetadata"]["HTTPStatusCode"]
    return status, found["Error"]["Code"], found["Error"]["Message"]

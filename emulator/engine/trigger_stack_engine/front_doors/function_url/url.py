"""A function URL as the engine knows it, and how a request names it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack_engine.front_doors.core.cors import Cors

AWS_IAM: Final = "AWS_IAM"
RESPONSE_STREAM: Final = "RESPONSE_STREAM"

#: The address of a URL for clients that do not resolve names below ``localhost``.
PATH_PREFIX: Final = "/_function-url/"
_HOST = re.compile(r"([a-z0-9-]+)\.lambda-url\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FunctionUrl:
    """One function URL.

    Attributes:
        url_id: The first label of its host name.
        arn: Unqualified ARN of the function.
        qualifier: Alias that it belongs to; ``None`` for the function itself.
        account: Account of the function.
        region: Its region.
        auth_type: ``NONE`` or ``AWS_IAM``.
        invoke_mode: ``BUFFERED`` or ``RESPONSE_STREAM``.
        cors: Its CORS configuration.
    """

    url_id: str
    arn: str
    qualifier: str | None
    account: str
    region: str
    auth_type: str
    invoke_mode: str
    cors: Cors | None

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> FunctionUrl:
        """From ``{url_id, function_arn, auth_type, invoke_mode, cors}`` of the control plane.

        ``function_arn`` has the alias as its last part when there is one.
        """
        parts = document["function_arn"].split(":")
        return cls(
            url_id=document["url_id"].lower(),
            arn=":".join(parts[:7]),
            qualifier=parts[7] if len(parts) > 7 else None,
            account=parts[4],
            region=parts[3],
            auth_type=document["auth_type"],
            invoke_mode=document["invoke_mode"] or "BUFFERED",
            cors=Cors.from_configuration(document["cors"]),
        )

    @property
    def function(self) -> str:
        """Name of the function, with ``:`` and the alias when there is one."""
        name = self.arn.rpartition(":")[2]
        return f"{name}:{self.qualifier}" if self.qualifier else name

    @property
    def invoked_arn(self) -> str:
        """The ARN with the alias, as ``context.invoked_function_arn`` has it."""
        return f"{self.arn}:{self.qualifier}" if self.qualifier else self.arn


def locate(host: str, raw_path: str) -> tuple[str, str] | None:
    """The URL that a request is for, and the path below its address.

    Args:
        host: The ``Host`` header.
        raw_path: The path, percent-encoded.

    Returns:
        The id of the URL in lower case, or in a path also the name of the function.
    """
    if match := _HOST.match(host):
        return match[1].lower(), raw_path
    if raw_path.startswith(PATH_PREFIX):
        url_id, slash, rest = raw_path.removeprefix(PATH_PREFIX).partition("/")
        return url_id, f"{slash or '/'}{rest}"
    return None

"""What an ``Authorization`` header says of a signature, and what AWS answers when it is none.

AWS topic: AWS Identity and Access Management User Guide, "Troubleshoot Signature Version 4 signing
for AWS API requests". The header itself is not repeated in the answer, only its hash; services have
answered so since 2025, API Gateway among them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from trigger_stack_engine.front_doors.core.callers import IncompleteSignatureError
from trigger_stack_engine.front_doors.core.message import HttpRequest

ALGORITHM: Final = "AWS4-HMAC-SHA256"
#: Access key, date, region and service.
SCOPE: Final = r"([^/,\s]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request"
#: Names of the signed headers.
NAMES: Final = r"([a-z0-9;-]+)"
SIGNATURE: Final = r"([0-9a-f]{64})"
_AUTHORIZATION: Final = re.compile(
    rf"{ALGORITHM} +Credential={SCOPE}, *SignedHeaders={NAMES}, *Signature={SIGNATURE}",
    re.ASCII,
)
_HASHED: Final = "ashed with SHA-256 and encoded with Base64)"
_PARAMETERS: Final = ("Credential", "Signature", "SignedHeaders")


def parse(header: str) -> tuple[str, ...] | None:
    """Access key, date, region, service, names of the signed headers and signature; or ``None``."""
    match = _AUTHORIZATION.fullmatch(header.strip())
    return match.groups() if match is not None else None


def incomplete(request: HttpRequest) -> IncompleteSignatureError | None:
    """What is wrong with a header that is no signature; ``None``: it is one, or there is none."""
    header = (request.header("authorization") or "").strip()
    if not header or parse(header) is not None:
        return None
    algorithm, _, rest = header.partition(" ")
    parts = [part.strip() for part in (rest or algorithm).split(",")]
    digest = base64.b64encode(hashlib.sha256(header.encode()).digest()).decode()
    if any("=" not in part for part in parts):
        return IncompleteSignatureError(
            "Invalid key=value pair (missing equal-sign) in Authorization header"
            f" (h{_HASHED}: '{digest}'."
        )
    given = {part.partition("=")[0] for part in parts}
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in _PARAMETERS
        if name not in given
    ]
    if request.header("x-amz-date") is None and request.header("date") is None:
        missing.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if not missing:
        return None
    return IncompleteSignatureError(f"{' '.join(missing)} (H{_HASHED} Authorization={digest}")

"""Whether a bucket policy lets a distribution do something.

AWS topics: CloudFront Developer Guide, "Restrict access to an Amazon S3 origin", and IAM's "Policy
evaluation logic".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from trigger_stack_engine.front_doors.core.policy import allows, covers

SERVICE = "cloudfront.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks a bucket.

    Attributes:
        access: ``control``, ``identity`` or ``none``.
        distribution: ARN of the distribution.
        identity: Id of the origin access identity.
        canonical_user: Its user id in S3.
    """

    access: str
    distribution: str
    identity: str = ""
    canonical_user: str = ""

    def __str__(self) -> str:
        match self.access:
            case "control":
                return f"{SERVICE} for {self.distribution}"
            case "identity":
                return f"the origin access identity {self.identity}"
        return "everybody"

    @property
    def principals(self) -> list[str]:
        """The names by which a policy may mean this asker."""
        match self.access:
            case "control":
                return [SERVICE]
            case "identity":
                user = f"CloudFront Origin Access Identity {self.identity}"
                arn = f"arn:aws:iam::cloudfront:user/{user}"
                return [name for name in (arn, self.canonical_user) if name]
        return []


def may(statements: Iterable[Mapping[str, Any]], action: str, resource: str, asker: Asker) -> bool:
    """Whether a bucket policy allows it.

    Args:
        statements: Of the policy.
        action: In lower case, such as ``s3:getobject``.
        resource: ARN of the bucket or object.
    """
    about = [
        {**one, "Action": "*", "Principal": _principal(one.get("Principal"))}
        for one in statements
        if _names(one.get("Action"), action) and covers(one, resource)
    ]
    keys = {}
    if asker.access == "control":
        account = asker.distribution.split(":")[4]
        keys = {"aws:sourcearn": asker.distribution, "aws:sourceaccount": account}
    return allows(about, action=action, principals=asker.principals, keys=keys)


def _names(given: object, action: str) -> bool:
    names = given if isinstance(given, list) else [given]
    return any(fnmatchcase(action, str(name).lower()) for name in names)


def _principal(principal: object) -> object:
    """A principal by whose canonical user id S3 knows it is one like others."""
    if isinstance(principal, Mapping) and "CanonicalUser" in principal:
        return {"AWS": principal["CanonicalUser"]}
    return principal

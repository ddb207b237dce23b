"""Rules of a bucket's life cycle: as a template has them, and as Amazon S3's API does.

AWS topics: AWS CloudFormation Template Reference Guide, "AWS::S3::Bucket Rule"; Amazon S3 API
Reference, "PutBucketLifecycleConfiguration".
"""

from __future__ import annotations

from typing import Any

type Rule = dict[str, Any]

_EXPIRATION = {
    "ExpirationDate": "Date",
    "ExpirationInDays": "Days",
    "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker",
}
#: What a rule has under the same name.
_SAME = ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration", "Status")


def to_api(value: dict[str, Any]) -> dict[str, Any]:
    """The configuration, for the ``LifecycleConfiguration`` of a bucket."""
    return {"Rules": [rule(one) for one in value["Rules"]]}


def rule(given: Rule) -> Rule:
    """One rule."""
    made: Rule = {key: given[key] for key in _SAME if key in given}
    made["Filter"] = _filter(given)
    if "Id" in given:
        made["ID"] = given["Id"]
    if expiration := {name: given[key] for key, name in _EXPIRATION.items() if key in given}:
        made["Expiration"] = expiration
    if "NoncurrentVersionExpirationInDays" in given:
        days = given["NoncurrentVersionExpirationInDays"]
        made.setdefault("NoncurrentVersionExpiration", {"NoncurrentDays": days})
    for name, days in (("Transition", "Days"), ("NoncurrentVersionTransition", "NoncurrentDays")):
        names = {"TransitionInDays": days, "TransitionDate": "Date"}
        single = [given[name]] if name in given else []
        if listed := given.get(f"{name}s") or single:
            made[f"{name}s"] = [
                {names.get(key, key): value for key, value in one.items()} for one in listed
            ]
    return made


def _filter(given: Rule) -> Rule:
    names = ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
    parts: Rule = {name: given[name] for name in names if name in given}
    tags = given.get("TagFilters") or []
    if len(tags) == 1 and not parts:
        return {"Tag": tags[0]}
    if tags:
        parts["Tags"] = tags
    if len(parts) > 1 or tags:
        return {"And": parts}
    return parts or {"Prefix": ""}

"""Distributions (Amazon CloudFront, "Restrict access to an Amazon S3 origin")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import BUCKET, View, mappings_in, own_name, within
from bootstrap.template import Resource

_DISTRIBUTION = "AWS::CloudFront::Distribution"
_POLICY = "AWS::S3::BucketPolicy"
_NAMED = re.compile(r"([a-z0-9][a-z0-9.-]{2,62})\.s3[.-]")
_REFERRED = re.compile(r"\$\{(\w+)(?:\.(?:Regional)?DomainName)?\}(?:\.s3[.-].*)?")


@rule(
    "TS661",
    Severity.WARNING,
    mend="Add an AWS::S3::BucketPolicy that lets cloudfront.amazonaws.com do s3:GetObject.",
)
def unreadable_bucket(view: View) -> Iterator[Hit]:
    """A distribution gets 403 for each object of a bucket without a policy that lets it read."""
    for distribution in view.of(_DISTRIBUTION):
        origins = within(distribution.properties, "DistributionConfig", "Origins")
        for index, origin in enumerate(mappings_in(origins)):
            bucket = _bucket(view, origin.get("DomainName"))
            if bucket is None or "S3OriginConfig" not in origin or _has_policy(view, bucket):
                continue
            at = distribution.path
            if at[:1] == ("resources",):
                at = (*at, "Properties", "DistributionConfig", "Origins", index)
            yield Hit(
                f"{own_name(distribution)} reads {own_name(bucket)}, which has no policy.", at
            )


def _bucket(view: View, domain: Any) -> Resource | None:
    """The bucket of this file that a domain name stands for."""
    if isinstance(domain, dict):
        got = domain.get("Fn::GetAtt")
        text = f"${{{got[0]}}}" if isinstance(got, list) and got else domain.get("Fn::Sub")
        match = _REFERRED.fullmatch(text) if isinstance(text, str) else None
        found = view.resources.get(match[1]) if match else None
        return found if found is not None and found.type == BUCKET else None
    named = _NAMED.match(domain) if isinstance(domain, str) else None
    if named is None:
        return None
    return next((one for one in view.of(BUCKET) if view.name(one) == named[1]), None)


def _has_policy(view: View, bucket: Resource) -> bool:
    for policy in view.of(_POLICY):
        about = policy.properties.get("Bucket")
        if isinstance(about, dict) and about.get("Ref") == bucket.logical_id:
            return True
        if isinstance(about, str) and about == view.name(bucket):
            return True
        if isinstance(about, dict) and "Ref" not in about:
            return True  # it may be about this one
    return False

"""Amazon CloudFront: distributions."""

from __future__ import annotations

from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import Context, Key, Outcome, Properties, ResourceType, found, subset
from bootstrap.template import Physical

#: What a setting goes back to when the definition no longer has it (CloudFormation,
#: "AWS::CloudFront::Distribution DistributionConfig").
_DEFAULTS: dict[str, Any] = {
    "Aliases": {"Quantity": 0, "Items": []},
    "CacheBehaviors": {"Quantity": 0, "Items": []},
    "Comment": "",
    "CustomErrorResponses": {"Quantity": 0, "Items": []},
    "DefaultRootObject": "",
    "HttpVersion": "http1.1",
    "IsIPV6Enabled": False,
    "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
    "PriceClass": "PriceClass_All",
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0, "Items": []}},
    "WebACLId": "",
}


def _distribution(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    cloudfront = context.client("cloudfront")
    # CloudFront has no names: the caller reference is what makes a distribution ours.
    reference = f"{context.service}-{logical_id}"
    wanted = _DEFAULTS | _config(properties["DistributionConfig"], reference)
    existing = _find(cloudfront, reference)
    if existing is None:
        made = cloudfront.create_distribution(DistributionConfig=wanted)["Distribution"]
        return Outcome.CREATED, _physical(made)
    answer = cloudfront.get_distribution_config(Id=existing["Id"])
    if subset(wanted, answer["DistributionConfig"]):
        return Outcome.UNCHANGED, _physical(existing)
    made = cloudfront.update_distribution(
        Id=existing["Id"],
        IfMatch=answer["ETag"],
        DistributionConfig=answer["DistributionConfig"] | wanted,
    )["Distribution"]
    return Outcome.CHANGED, _physical(made)


def _find(cloudfront: Any, reference: str) -> dict[str, Any] | None:
    for page in cloudfront.get_paginator("list_distributions").paginate():
        for item in page["DistributionList"].get("Items", []):
            config = cloudfront.get_distribution_config(Id=item["Id"])["DistributionConfig"]
            if config["CallerReference"] == reference:
                return dict(item)
    return None


def _physical(distribution: dict[str, Any]) -> Physical:
    return Physical(
        distribution["Id"],
        {"Id": distribution["Id"], "DomainName": distribution["DomainName"]},
    )


def _config(given: dict[str, Any], reference: str) -> dict[str, Any]:
    """CloudFormation lists items plainly; the CloudFront API wants them counted."""
    config = {**given, "CallerReference": reference}
    for key in ("Aliases", "CacheBehaviors", "CustomErrorResponses", "Origins"):
        if isinstance(config.get(key), list):
            config[key] = {"Quantity": len(config[key]), "Items": config[key]}
    return config


def _exists(context: Context, key: Key) -> bool:
    cloudfront = context.client("cloudfront")
    return (
        found(lambda: cloudfront.get_distribution(Id=key["Ref"]), "NoSuchDistribution") is not None
    )


def _delete(context: Context, key: Key) -> None:
    """Disable a distribution, and delete it (CloudFront, "Deleting a distribution")."""
    cloudfront, identity = context.client("cloudfront"), key["Ref"]
    answer = cloudfront.get_distribution_config(Id=identity)
    config, tag = answer["DistributionConfig"], answer["ETag"]
    if config["Enabled"]:
        disabled = {**config, "Enabled": False}
        tag = cloudfront.update_distribution(Id=identity, IfMatch=tag, DistributionConfig=disabled)[
            "ETag"
        ]
    cloudfront.delete_distribution(Id=identity, IfMatch=tag)


RESOURCE_TYPES = {
    "AWS::CloudFront::Distribution": ResourceType(
        _distribution,
        {
            "DistributionConfig": shapes.mapping(
                {"Enabled": shapes.flag, "DefaultCacheBehavior": shapes.any_mapping},
                {
                    "Comment": shapes.text,
                    "Origins": shapes.list_of(
                        shapes.mapping({"Id": shapes.text, "DomainName": shapes.text}, open=True)
                    ),
                },
                open=True,
            )
        },
        exists=_exists,
        delete_with="cloudfront delete-distribution --id {Ref}",
        holds_data=False,
        delete=_delete,
    ),
}

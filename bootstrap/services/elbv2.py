"""Elastic Load Balancing: Application Load Balancers with functions as targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ReplacementError,
    ResourceType,
    found,
    gone,
    outcome_of,
    subset,
)
from bootstrap.template import Physical

_HEALTH_CHECK = (
    *("HealthCheckEnabled", "HealthCheckPath", "HealthCheckIntervalSeconds"),
    *("HealthCheckTimeoutSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount", "Matcher"),
)


def _given(properties: Properties, *names: str) -> dict[str, Any]:
    return {name: properties[name] for name in names if name in properties}


def _balancer(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    elb, name = context.client("elbv2"), properties["Name"]
    known = found(
        lambda: elb.describe_load_balancers(Names=[name])["LoadBalancers"], "LoadBalancerNotFound"
    )
    if not known:
        fields = ("Name", "Scheme", "Subnets", "SecurityGroups", "Tags", "Type")
        made = elb.create_load_balancer(**_given(properties, *fields))["LoadBalancers"][0]
        return Outcome.CREATED, _balancer_values(made)
    balancer = known[0]
    scheme = properties.get("Scheme", "internet-facing")
    if scheme != balancer["Scheme"]:
        raise ReplacementError(
            f"the load balancer {name} exists with the scheme {balancer['Scheme']}, which cannot be"
            " changed. Give it another name."
        )
    subnets = {zone["SubnetId"] for zone in balancer["AvailabilityZones"]}
    differs = set(properties["Subnets"]) != subnets
    if differs:
        elb.set_subnets(LoadBalancerArn=balancer["LoadBalancerArn"], Subnets=properties["Subnets"])
    return outcome_of(False, differs), _balancer_values(balancer)


def _balancer_values(balancer: dict[str, Any]) -> Physical:
    arn = balancer["LoadBalancerArn"]
    return Physical(
        arn,
        {
            "DNSName": balancer["DNSName"],
            "LoadBalancerArn": arn,
            "LoadBalancerFullName": arn.partition("loadbalancer/")[2],
            "LoadBalancerName": balancer["LoadBalancerName"],
        },
    )


def _listener(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    elb, port = context.client("elbv2"), int(properties["Port"])
    listeners = elb.describe_listeners(LoadBalancerArn=properties["LoadBalancerArn"])["Listeners"]
    known = next((one for one in listeners if one["Port"] == port), None)
    wanted = {
        "DefaultActions": properties["DefaultActions"],
        "Protocol": properties.get("Protocol", "HTTP"),
    }
    if known is None:
        arn = properties["LoadBalancerArn"]
        made = elb.create_listener(LoadBalancerArn=arn, Port=port, **wanted)["Listeners"][0]
        return Outcome.CREATED, _arn(made["ListenerArn"], "ListenerArn")
    arn = known["ListenerArn"]
    differs = not subset(wanted, known)
    if differs:
        elb.modify_listener(ListenerArn=arn, **wanted)
    return outcome_of(False, differs), _arn(arn, "ListenerArn")


def _rule(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    elb = context.client("elbv2")
    listener, priority = properties["ListenerArn"], int(properties["Priority"])
    rules = elb.describe_rules(ListenerArn=listener)["Rules"]
    known = next((one for one in rules if one["Priority"] == str(priority)), None)
    wanted = _given(properties, "Actions", "Conditions")
    if known is None:
        made = elb.create_rule(ListenerArn=listener, Priority=priority, **wanted)["Rules"][0]
        return Outcome.CREATED, _arn(made["RuleArn"], "RuleArn")
    differs = not subset(wanted, known)
    if differs:
        elb.modify_rule(RuleArn=known["RuleArn"], **wanted)
    return outcome_of(False, differs), _arn(known["RuleArn"], "RuleArn")


def _target_group(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    elb, name = context.client("elbv2"), properties["Name"]
    known = found(
        lambda: elb.describe_target_groups(Names=[name])["TargetGroups"], "TargetGroupNotFound"
    )
    checks = _given(properties, *_HEALTH_CHECK)
    if known:
        group, differs = known[0], not subset(checks, known[0])
        if differs:
            elb.modify_target_group(TargetGroupArn=group["TargetGroupArn"], **checks)
    else:
        fields = ("Name", "TargetType", "Tags")
        made = elb.create_target_group(**_given(properties, *fields), **checks)
        group, differs = made["TargetGroups"][0], False
    arn = group["TargetGroupArn"]
    changes = [differs, _attributes(elb, arn, properties), _targets(elb, arn, properties)]
    values = {"TargetGroupArn": arn, "TargetGroupName": name}
    values["TargetGroupFullName"] = arn.rpartition(":")[2]
    return outcome_of(not known, *changes), Physical(arn, values)


def _attributes(elb: Any, arn: str, properties: Properties) -> bool:
    listed = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    actual = {one["Key"]: one["Value"] for one in listed}
    changes = [
        {"Key": one["Key"], "Value": value}
        for one in properties.get("TargetGroupAttributes", [])
        if actual.get(one["Key"], "false") != (value := str(one["Value"]).lower())
    ]
    if changes:
        elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=changes)
    return bool(changes)


def _targets(elb: Any, arn: str, properties: Properties) -> bool:
    health = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    actual = {one["Target"]["Id"] for one in health}
    wanted = {one["Id"] for one in properties.get("Targets", [])}
    for ids, change in (
        (actual - wanted, elb.deregister_targets),
        (wanted - actual, elb.register_targets),
    ):
        if ids:
            change(TargetGroupArn=arn, Targets=[{"Id": one} for one in sorted(ids)])
    return actual != wanted


def _arn(arn: str, name: str) -> Physical:
    return Physical(arn, {name: arn})


def _key(name: str) -> Callable[[str, Properties, Physical], list[Key]]:
    return lambda _, __, physical: [{name: physical.ref}]


def _remover(operation: str, missing: str) -> Callable[[Context, Key], bool]:
    def remove(context: Context, key: Key) -> bool:
        call = getattr(context.client("elbv2"), operation)
        return gone(lambda: call(**key), missing)

    return remove


def _flag_or_text(value: Any) -> shapes.Problems:
    return () if isinstance(value, bool) else shapes.text(value)


_TEXTS = shapes.list_of(shapes.text)
_TAGS = shapes.list_of(shapes.mapping({"Key": shapes.text, "Value": shapes.text}))
_ACTIONS = shapes.list_of(
    shapes.mapping(
        {"Type": shapes.one_of("fixed-response", "forward", "redirect")},
        {
            "FixedResponseConfig": shapes.mapping_of(shapes.text),
            "ForwardConfig": shapes.any_mapping,
            "Order": shapes.number(1, 50_000),
            "RedirectConfig": shapes.mapping_of(shapes.text),
            "TargetGroupArn": shapes.text,
        },
    )
)
_CONDITIONS = shapes.list_of(
    shapes.mapping(
        {"Field": shapes.text},
        {
            "HostHeaderConfig": shapes.any_mapping,
            "HttpHeaderConfig": shapes.any_mapping,
            "HttpRequestMethodConfig": shapes.any_mapping,
            "PathPatternConfig": shapes.any_mapping,
            "QueryStringConfig": shapes.any_mapping,
            "SourceIpConfig": shapes.any_mapping,
            "Values": _TEXTS,
        },
    )
)

RESOURCE_TYPES = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ResourceType(
        _balancer,
        {"Name": shapes.text, "Subnets": _TEXTS},
        {
            "Scheme": shapes.one_of("internal", "internet-facing"),
            "SecurityGroups": _TEXTS,
            "Tags": _TAGS,
            "Type": shapes.one_of("application"),
        },
        keys=_key("LoadBalancerArn"),
        remove=_remover("delete_load_balancer", "LoadBalancerNotFound"),
    ),
    "AWS::ElasticLoadBalancingV2::Listener": ResourceType(
        _listener,
        {
            "DefaultActions": _ACTIONS,
            "LoadBalancerArn": shapes.text,
            "Port": shapes.number(1, 65_535),
        },
        {"Protocol": shapes.one_of("HTTP", "HTTPS")},
        keys=_key("ListenerArn"),
        remove=_remover("delete_listener", "ListenerNotFound"),
    ),
    "AWS::ElasticLoadBalancingV2::ListenerRule": ResourceType(
        _rule,
        {
            "Actions": _ACTIONS,
            "Conditions": _CONDITIONS,
            "ListenerArn": shapes.text,
            "Priority": shapes.number(1, 50_000),
        },
        keys=_key("RuleArn"),
        remove=_remover("delete_rule", "RuleNotFound"),
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ResourceType(
        _target_group,
        {"Name": shapes.text, "TargetType": shapes.one_of("lambda")},
        {
            "HealthCheckEnabled": shapes.flag,
            "HealthCheckIntervalSeconds": shapes.number(5, 300),
            "HealthCheckPath": shapes.text,
            "HealthCheckTimeoutSeconds": shapes.number(2, 120),
            "HealthyThresholdCount": shapes.number(2, 10),
            "Matcher": shapes.mapping({"HttpCode": shapes.text}),
            "Tags": _TAGS,
            "TargetGroupAttributes": shapes.list_of(
                shapes.mapping({"Key": shapes.text, "Value": _flag_or_text})
            ),
            "Targets": shapes.list_of(shapes.mapping({"Id": shapes.text})),
            "UnhealthyThresholdCount": shapes.number(2, 10),
        },
        keys=_key("TargetGroupArn"),
        remove=_remover("delete_target_group", "TargetGroupNotFound"),
    ),
}

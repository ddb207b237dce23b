"""Properties that nobody looks at fail their stack, or are noted in the log.

What: a table of properties, which ``left_out`` asks before a resource is made or changed.
Why: LocalStack's types take any property of a template and leave most of them out without a word:
a stack with a replication of its bucket, an alarm of metric math or a misspelt name is complete,
and does less than it says. AWS refuses a name that it does not know ("extraneous key is not
permitted").
Until: LocalStack sets them, or refuses what it does not set.
Test: ``tests/unit/plugin/test_refused_properties.py``,
``tests/delivery/test_cloudformation_properties.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trigger_stack.delivery.core.alarm_rules import AlarmRuleError, parse

type Model = dict[str, Any]

LOG = logging.getLogger(__name__)

#: What matters on AWS alone: names that LocalStack does not know are AWS's newer ones.
_NOTED: dict[str, tuple[str, ...]] = {
    "AWS::ApiGateway::ApiKey": ("GenerateDistinctId",),
    "AWS::ApiGateway::DomainName": ("EndpointAccessMode", "RoutingMode"),
    "AWS::ApiGateway::RestApi": ("EndpointAccessMode", "SecurityPolicy"),
    "AWS::ApiGateway::Stage": ("ClientCertificateId",),
    "AWS::CertificateManager::Certificate": ("CertificateExport", "KeyAlgorithm"),
    "AWS::CloudWatch::Alarm": ("EvaluateLowSampleCountPercentile",),
    "AWS::DynamoDB::GlobalTable": ("WarmThroughput", "WriteOnDemandThroughputSettings"),
    "AWS::DynamoDB::Table": (
        "ContributorInsightsSpecification",
        "OnDemandThroughput",
        "ResourcePolicy",
        "TableClass",
        "WarmThroughput",
    ),
    "AWS::EC2::Instance": ("MetadataOptions",),
    "AWS::EC2::NatGateway": ("AvailabilityMode", "AvailabilityZoneAddresses", "VpcId"),
    "AWS::EC2::VPCEndpoint": ("DnsOptions", "IpAddressType", "ServiceRegion", "Tags"),
    "AWS::ECR::Repository": ("EmptyOnDelete", "ImageTagMutabilityExclusionFilters"),
    "AWS::Events::EventBus": ("DeadLetterConfig", "Description", "KmsKeyIdentifier", "LogConfig"),
    "AWS::Events::Rule": ("RoleArn",),
    "AWS::IAM::ManagedPolicy": ("Description", "Path"),
    "AWS::KMS::Key": ("BypassPolicyLockoutSafetyCheck", "Origin", "RotationPeriodInDays"),
    "AWS::Kinesis::Stream": (
        "DesiredShardLevelMetrics",
        "MaxRecordSizeInKiB",
        "RecordDistributionStrategy",
        "StreamEncryption",
        "WarmThroughputMiBps",
    ),
    "AWS::Kinesis::StreamConsumer": ("Tags",),
    "AWS::Lambda::CodeSigningConfig": ("Tags",),
    "AWS::Lambda::EventSourceMapping": ("KmsKeyArn", "LoggingConfig", "MetricsConfig"),
    "AWS::Lambda::Function": ("KmsKeyArn", "RuntimeManagementConfig"),
    "AWS::Lambda::LayerVersionPermission": ("OrganizationId",),
    "AWS::Lambda::Version": ("RuntimePolicy",),
    "AWS::Logs::LogGroup": (
        "BearerTokenAuthenticationEnabled",
        "DataProtectionPolicy",
        "DeletionProtectionEnabled",
        "FieldIndexPolicies",
        "KmsKeyId",
        "LogGroupClass",
        "ResourcePolicyDocument",
    ),
    "AWS::S3::Bucket": (
        "AbacStatus",
        "AnalyticsConfigurations",
        "IntelligentTieringConfigurations",
        "InventoryConfigurations",
        "MetadataConfiguration",
        "MetadataTableConfiguration",
        "MetricsConfigurations",
    ),
    "AWS::SES::EmailIdentity": ("Tags",),
    "AWS::SNS::Subscription": ("SubscriptionRoleArn",),
    "AWS::SNS::Topic": ("DataProtectionPolicy", "DeliveryStatusLogging"),
    "AWS::SecretsManager::Secret": ("Type",),
    "AWS::StepFunctions::Activity": ("EncryptionConfiguration",),
    "AWS::StepFunctions::StateMachine": ("EncryptionConfiguration",),
}
#: What would be missed here: a stack with it fails.
_REFUSED: dict[str, tuple[str, ...]] = {
    "AWS::ApiGateway::Stage": ("CanarySetting",),
    "AWS::DynamoDB::Table": ("ImportSourceSpecification", "KinesisStreamSpecification"),
    "AWS::Events::EventBus": ("EventSourceName",),
    "AWS::Lambda::Function": (
        "CapacityProviderConfig",
        "DurableConfig",
        "FileSystemConfigs",
        "FunctionScalingConfig",
        "PublishToLatestPublished",
        "TenancyConfig",
    ),
    "AWS::S3::Bucket": ("ReplicationConfiguration",),
    "AWS::SNS::Subscription": ("ReplayPolicy",),
}
#: Names that are newer than LocalStack's schema, and that something here takes.
_TAKEN: dict[str, tuple[str, ...]] = {
    "AWS::ApiGateway::RestApi": ("Version",),
    "AWS::CloudWatch::Alarm": ("Tags",),
    "AWS::CloudWatch::CompositeAlarm": ("Tags",),
    "AWS::Events::Connection": ("KmsKeyIdentifier",),
    "AWS::Events::Rule": ("Tags",),
    "AWS::Lambda::EventSourceMapping": ("ProvisionedPollerConfig", "Tags"),
    "AWS::Lambda::Permission": ("InvokedViaFunctionUrl",),
    "AWS::SNS::Topic": ("ArchivePolicy", "FifoThroughputScope", "MaximumMessageSize"),
}
#: What the CDK says of itself, which has no effect on AWS either.
_ANYTHING = frozenset({"AWS::CDK::Metadata"})

#: The settings of an alarm that LocalStack stores and does not evaluate.
_NOT_EVALUATED = (
    "EvaluationCriteria",
    "EvaluationInterval",
    "EvaluationWindow",
    "ExtendedStatistic",
    "Metrics",
    "ThresholdMetricId",
    "WarmUpConfiguration",
)
_EVALUATED = (
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanOrEqualToThreshold",
    "LessThanThreshold",
)
_ACTIONS = ("AlarmActions", "InsufficientDataActions", "OKActions")


def problem(kind: str, schema: Mapping[str, Any], properties: Model) -> str:
    """Why a resource cannot be made or changed as its template has it; empty when it can.

    Args:
        kind: The type of the resource.
        schema: LocalStack's, of that type; without ``properties`` the type itself refuses names.
        properties: Those that are new or other, with values instead of functions.
    """
    if kind in _ANYTHING:
        return ""
    known = {*schema.get("properties", properties), *_NOTED.get(kind, ()), *_TAKEN.get(kind, ())}
    refused = [name for name in properties if name not in known or name in _REFUSED.get(kind, ())]
    sentences = [*_CHECKS.get(kind, _nothing)(properties)]
    if refused:
        sentences.insert(0, f"{', '.join(sorted(refused))} cannot be set here")
    return f"{kind}: {'; '.join(sentences)}" if sentences else ""


def note(kind: str, logical_id: str, properties: Model) -> None:
    """Say in the log which properties have no effect here."""
    noted = [name for name in properties if name in _NOTED.get(kind, ())]
    if noted:
        LOG.warning("%s (%s): %s: no effect here", logical_id, kind, ", ".join(sorted(noted)))


def _nothing(properties: Model) -> Iterator[str]:
    yield from ()


def _alarm(properties: Model) -> Iterator[str]:
    """LocalStack evaluates one statistic of one metric against a number."""
    named = [name for name in _NOT_EVALUATED if properties.get(name)]
    if named:
        yield f"{', '.join(named)}: an alarm compares one statistic of one metric here"
    operator = properties.get("ComparisonOperator", _EVALUATED[0])
    if operator not in _EVALUATED:
        yield f"ComparisonOperator {operator}: anomalies are not detected here"
    yield from _of_others(properties, "sns", "lambda")


def _composite_alarm(properties: Model) -> Iterator[str]:
    if (rule := properties.get("AlarmRule")) is not None:
        try:
            parse(str(rule))
        except AlarmRuleError as error:
            yield f"AlarmRule {rule}: {error}"
    suppressed = [name for name in properties if name.startswith("ActionsSuppressor")]
    if suppressed:
        yield f"{', '.join(suppressed)}: no action is suppressed here"
    yield from _of_others(properties, "sns")


def _of_others(properties: Model, *services: str) -> Iterator[str]:
    """Actions that nobody would take."""
    for name in _ACTIONS:
        for arn in properties.get(name) or []:
            if not any(str(arn).startswith(f"arn:aws:{one}:") for one in services):
                what = " and ".join({"sns": "topics", "lambda": "functions"}[s] for s in services)
                yield f"{name} {arn}: only {what} are called here"


def _global_table(properties: Model) -> Iterator[str]:
    """The changes of a table are not forwarded to a Kinesis stream here."""
    name = "KinesisStreamSpecification"
    if any(name in one for one in properties.get("Replicas") or []):
        yield f"{name} of Replicas cannot be set here"


_CHECKS: dict[str, Callable[[Model], Iterator[str]]] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _composite_alarm,
    "AWS::DynamoDB::GlobalTable": _global_table,
}

"""The policies of what services hand events to: functions, queues, topics and log groups.

What: no patch; reads LocalStack's stores of Lambda, SQS, SNS, KMS and CloudWatch Logs.
Why: LocalStack's open release lets every service in, so that an event arrives here which AWS
refuses: it vanishes there. A request for each delivery would take longer than the delivery.
Until: LocalStack checks resource policies.
Test: ``tests/delivery/test_resource_policies.py``, ``tests/delivery/test_log_group_targets.py``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from typing import Any

from localstack.services.kms.models import kms_stores
from localstack.services.sns.models import sns_stores
from localstack.services.sqs.models import sqs_stores

from trigger_stack.localstack.lambda_engine.versions import find_function
from trigger_stack.services.resource_policies import (
    SETTING,
    Key,
    ResourcePolicies,
    Statement,
    statements_of,
)

#: Of what is not there: the call itself says so, and better.
_EVERYBODY: Statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


@functools.cache
def resource_policies() -> ResourcePolicies:
    """The policies of every account and region."""
    return ResourcePolicies(find, key_of, checked=os.environ.get(SETTING) != "0")


def key_of(arn: str) -> Key | None:
    """The key of an encrypted queue or topic."""
    _, _, service, region, account, *_ = arn.split(":")
    given = (_attributes(arn) or {}).get("KmsMasterKeyId") if service in ("sqs", "sns") else None
    if not given:
        return None
    name = given.rpartition(":")[2]  # of an ARN
    if name.startswith("alias/aws/"):
        return Key(f"arn:aws:kms:{region}:{account}:{name}")
    store = kms_stores[account][region]
    if name in store.aliases:
        name = store.aliases[name].metadata["TargetKeyId"]
    key = store.keys.get(name.removeprefix("key/"))
    return Key(str(key.metadata["Arn"]), statements_of(key.policy)) if key else None


def _attributes(arn: str) -> Mapping[Any, str] | None:
    """What a queue or topic is set to; None when there is none."""
    _, _, service, region, account, name = arn.split(":")
    if service == "sqs":
        queue = sqs_stores[account][region].queues.get(name)
        return queue.attributes if queue else None
    topic = sns_stores[account][region].topics.get(arn)
    return topic["attributes"] if topic else None


def _of_logs(account: str, region: str, group: str) -> Iterable[Statement]:
    """The statements of every policy of a region: CloudWatch Logs has them for all log groups."""
    # Not earlier: it takes a while to import, and is loaded by the log group's own service.
    from localstack.services.logs.models import get_moto_logs_backend

    backend = get_moto_logs_backend(account, region)
    if group not in backend.groups:
        return (_EVERYBODY,)
    policies = list(backend.resource_policies.values())
    return [one for policy in policies for one in statements_of(policy.policy_document)]


def find(arn: str) -> Iterable[Statement]:
    """The statements of the policy of a function, version or alias, a queue, a topic or a group."""
    _, _, service, region, account, *names = arn.split(":")
    if service == "logs":
        return _of_logs(account, region, names[1])
    if service in ("sqs", "sns"):
        attributes = _attributes(arn)
        if attributes is None:
            return (_EVERYBODY,)
        return statements_of(attributes.get("Policy") or "")
    function = find_function(account, region, names[1])
    if function is None:
        return (_EVERYBODY,)
    given = function.permissions.get(names[2] if len(names) > 2 else "$LATEST")
    return list(given.policy.Statement) if given else ()

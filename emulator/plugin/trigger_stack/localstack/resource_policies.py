"""The policies of this stack's functions, queues and topics, for services that hand events over.

What: no patch; reads LocalStack's stores of Lambda, SQS and SNS.
Why: LocalStack's open release lets every service in, so that an event arrives here which AWS
refuses: it vanishes there. A request for each delivery would take longer than the delivery.
Until: LocalStack checks resource policies.
Test: ``tests/delivery/test_resource_policies.py``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable

from localstack.aws.api.sqs import QueueAttributeName
from localstack.services.sns.models import sns_stores
from localstack.services.sqs.models import sqs_stores

from trigger_stack.localstack.lambda_engine.versions import find_function
from trigger_stack.services.resource_policies import (
    SETTING,
    ResourcePolicies,
    Statement,
    statements_of,
)

#: Of what is not there: the call itself says so, and better.
_EVERYBODY: Statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


@functools.cache
def resource_policies() -> ResourcePolicies:
    """The policies of every account and region."""
    return ResourcePolicies(find, checked=os.environ.get(SETTING) != "0")


def find(arn: str) -> Iterable[Statement]:
    """The statements of the policy of a function, version or alias, of a queue or of a topic."""
    _, _, service, region, account, *names = arn.split(":")
    if service == "sqs":
        queue = sqs_stores[account][region].queues.get(names[0])
        return (
            statements_of(queue.attributes.get(QueueAttributeName.Policy) or "")
            if queue
            else (_EVERYBODY,)
        )
    if service == "sns":
        topic = sns_stores[account][region].topics.get(arn)
        return statements_of(topic["attributes"].get("Policy") or "") if topic else (_EVERYBODY,)
    function = find_function(account, region, names[1])
    if function is None:
        return (_EVERYBODY,)
    given = function.permissions.get(names[2] if len(names) > 2 else "$LATEST")
    return list(given.policy.Statement) if given else ()

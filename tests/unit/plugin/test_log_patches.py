"""The patches of LocalStack's CloudWatch Logs are still needed."""

from __future__ import annotations

import pytest

from tests.support.fresh import Fresh

#: In a process of its own: the provider may be patched in this one.
CHECKS = {
    "takes_every_event_for_a_match": """
from localstack.services.logs.provider import get_pattern_matcher
assert get_pattern_matcher("ERROR")("ERROR", {"message": "fine"})
""",
    "makes_no_log_stream_in_a_group_with_a_filter": """
from localstack.services.logs import provider
from moto.logs.models import LogGroup, SubscriptionFilter
group = LogGroup("000000000000", "us-east-1", "g")
group.subscription_filters["f"] = SubscriptionFilter("f", "g", "", "arn", "")
try:
    group.create_log_stream("s")
except TypeError:
    pass
else:
    raise AssertionError("it makes one now")
""",
    "invokes_while_it_stores": """
import inspect
from localstack.services.logs import provider
source = inspect.getsource(provider)
assert "client.invoke(FunctionName=destination_arn, Payload=json.dumps(event))" in source
""",
    "changes_no_filter_of_a_group_with_two": """
from localstack.services.logs import provider
from moto.logs.exceptions import LimitExceededException
from moto.logs.models import LogGroup
group = LogGroup("000000000000", "us-east-1", "g")
group.put_subscription_filter("a", "", "arn", "")
group.put_subscription_filter("b", "", "arn", "")
try:
    group.put_subscription_filter("a", "ERROR", "arn", "")
except LimitExceededException:
    pass
else:
    raise AssertionError("it changes one now")
""",
}


@pytest.mark.parametrize("name", CHECKS)
def test_localstack_still(fresh: Fresh, name: str) -> None:
    """When one fails, see what the provider of ours still adds."""
    done = fresh.run(CHECKS[name])

    assert done.returncode == 0, done.stderr

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
    "counts_events_of_every_group_for_a_metric_filter": """
import inspect
from localstack.services.logs.provider import LogsProvider
source = inspect.getsource(LogsProvider.put_log_events)
assert "put_metric_data" in source, "it counts elsewhere now"
assert "logGroupName" not in source and "log_group_name:" in source, "it compares groups now"
assert "value = float(value) if is_number(value) else 1" in source, "it reads fields now"
assert "dimensions" not in source and "unit" not in source, "it has dimensions and units now"
""",
    "adds_a_metric_filter_that_is_put_again": """
from moto.logs.models import LogsBackend
backend = LogsBackend("us-east-1", "000000000000")
backend.create_log_group("g", {})
backend.put_metric_filter("f", "ERROR", "g", [])
backend.put_metric_filter("f", "WARN", "g", [])
assert len(backend.filters.metric_filters) == 2, "it replaces one now"
""",
    "lists_no_metrics_when_a_dimension_has_an_equals_sign": """
from localstack.services.cloudwatch.cloudwatch_database_helper import CloudwatchDatabase
try:
    CloudwatchDatabase._restore_dimensions_from_string(None, "Path=/a?b=c\\t")
except ValueError:
    pass
else:
    raise AssertionError("it lists them now")
""",
    "keeps_the_metric_filters_of_a_group_that_was_deleted": """
from moto.logs.models import LogsBackend
backend = LogsBackend("us-east-1", "000000000000")
backend.create_log_group("g", {})
backend.put_metric_filter("f", "ERROR", "g", [])
backend.delete_log_group("g")
assert backend.filters.metric_filters, "it deletes them now"
""",
}


BROKEN_FILTER = """
import time
from localstack.services.logs.models import get_moto_logs_backend
from trigger_stack.localstack.logs.provider import install
install()
backend = get_moto_logs_backend("000000000000", "us-east-1")
backend.create_log_group("g", {})
backend.create_log_stream("g", "s")
backend.put_metric_filter("f", "foo-bar", "g", [{}])
backend.put_log_events("g", "s", [{"timestamp": int(time.time() * 1000), "message": "x"}])
assert [one.message for one in backend.groups["g"].streams["s"].events] == ["x"]
"""


@pytest.mark.parametrize("name", CHECKS)
def test_localstack_still(fresh: Fresh, name: str) -> None:
    """When one fails, see what the provider of ours still adds."""
    done = fresh.run(CHECKS[name])

    assert done.returncode == 0, done.stderr


def test_a_metric_filter_that_cannot_be_read_loses_no_event(fresh: Fresh) -> None:
    """A saved state may have one."""
    done = fresh.run(BROKEN_FILTER)

    assert done.returncode == 0, done.stderr
    assert "did not see all events" in done.stderr

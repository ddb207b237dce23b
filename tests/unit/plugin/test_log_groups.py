"""Lists of log groups: pages, what they say, and that LocalStack still copies every event."""

from __future__ import annotations

import pytest

from tests.support.fresh import Fresh

#: In processes of their own: LocalStack's provider patches moto where it is imported.
PRELUDE = """
from types import SimpleNamespace
from localstack.aws.api.logs import InvalidParameterException
from localstack.services.logs.models import get_moto_logs_backend
from trigger_stack.localstack.logs.groups import LogGroups

context = SimpleNamespace(account_id="000000000000", region="us-east-1")
backend = get_moto_logs_backend(context.account_id, context.region)
provider = LogGroups()


def make(*names):
    for name in names:
        backend.create_log_group(name, {})


def names(answer):
    return [one["logGroupName"] for one in answer["logGroups"]]
"""
CASES = {
    "they_come_in_pages": """
make(*(f"/g/{number:03}" for number in range(120)))
found, token, pages = [], None, 0
while True:
    answer = provider.describe_log_groups(context, {"nextToken": token} if token else {})
    found += names(answer); pages += 1
    token = answer.get("nextToken")
    if token is None:
        break
assert found == sorted(found) and len(set(found)) == 120 and pages == 3, (len(found), pages)
answer = provider.describe_log_groups(context, {"limit": 2})
assert names(answer) == ["/g/000", "/g/001"] and answer["nextToken"], answer
assert len(provider.list_log_groups(context, {})["logGroups"]) == 120
""",
    "they_are_chosen": """
make("/aws/lambda/a", "/aws/lambda/ab", "/other/a")
def chosen(**request):
    return names(provider.describe_log_groups(context, request))
assert chosen(logGroupNamePrefix="/aws/lambda/a") == ["/aws/lambda/a", "/aws/lambda/ab"]
assert chosen(logGroupNamePattern="r/a") == ["/other/a"]
arn = "arn:aws:logs:us-east-1:000000000000:log-group:/other/a"
assert chosen(logGroupIdentifiers=["/aws/lambda/a", arn]) == ["/aws/lambda/a", "/other/a"]
assert names(provider.list_log_groups(context, {"logGroupNamePattern": "ab"})) == ["/aws/lambda/ab"]
assert chosen(logGroupNamePrefix="/none") == []
""",
    "a_group_is_described": """
make("/g")
group = backend.groups["/g"]
group.create_log_stream("s")
group.streams["s"].stored_bytes = 12
group.retention_in_days = 7
backend.put_metric_filter("f", "ERROR", "/g", [])
(one,) = provider.describe_log_groups(context, {})["logGroups"]
arn = "arn:aws:logs:us-east-1:000000000000:log-group:/g"
assert one == {
    "arn": arn + ":*", "logGroupArn": arn, "logGroupName": "/g", "logGroupClass": "STANDARD",
    "creationTime": group.creation_time, "metricFilterCount": 1, "storedBytes": 12,
    "retentionInDays": 7,
}, one
""",
    "what_cannot_be_is_refused": """
both = {"logGroupNamePrefix": "a", "logGroupNamePattern": "b"}
for request in ({"limit": 51}, {"limit": 0}, both):
    try:
        provider.describe_log_groups(context, request)
    except InvalidParameterException:
        continue
    raise AssertionError(request)
""",
    "the_first_tags_of_a_group_are_kept": """
make("/g")
arn = "arn:aws:logs:us-east-1:000000000000:log-group:/g"
provider.tag_resource(context, arn, {"team": "brands"})
assert provider.list_tags_for_resource(context, arn)["tags"] == {"team": "brands"}
""",
    "no_event_is_copied_and_localstack_still_copies_them": """
import copy
from localstack.services.logs.provider import LogsProvider
class Event:
    def __deepcopy__(self, memo):
        raise RuntimeError("copied")
make("/g")
group = backend.groups["/g"]
group.create_log_stream("s")
group.streams["s"].events.append(Event())
assert names(provider.describe_log_groups(context, {})) == ["/g"]
assert len(provider.list_log_groups(context, {})["logGroups"]) == 1
for list_groups in (LogsProvider.describe_log_groups, LogsProvider.list_log_groups):
    try:
        list_groups(provider, context, {})
    except RuntimeError:
        continue
    raise AssertionError("LocalStack copies no events any longer: remove the mix-in")
""",
}


@pytest.mark.parametrize("name", CASES)
def test_log_groups(fresh: Fresh, name: str) -> None:
    done = fresh.run(PRELUDE + CASES[name])

    assert done.returncode == 0, done.stderr

"""Resource policies of CloudWatch Logs: what is refused, and that moto still takes all of it."""

from __future__ import annotations

import pytest

from tests.support.fresh import Fresh

#: In processes of their own: LocalStack's provider patches moto where it is imported.
PRELUDE = """
import json
from types import SimpleNamespace
from localstack.aws.api.logs import InvalidParameterException
from localstack.services.logs.models import get_moto_logs_backend
from trigger_stack.localstack.logs import resource_policies
from trigger_stack.localstack.logs.resource_policies import ResourcePolicies

context = SimpleNamespace(account_id="000000000000", region="us-east-1")
backend = get_moto_logs_backend(context.account_id, context.region)
provider = ResourcePolicies()
statement = {"Effect": "Allow", "Principal": "*", "Action": "logs:PutLogEvents", "Resource": "*"}
good = json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def put(**request):
    try:
        provider.put_resource_policy(context, **request)
    except InvalidParameterException as error:
        return str(error)
"""
CASES = {
    "what_is_no_policy_is_refused": """
bad = ("text", "[]", "{}", '{"Statement": []}', '{"Statement": ["a"]}', '{"Statement": {}}')
for document in bad:
    assert put(policy_name="p", policy_document=document) == (
        "Could not convert to persistable policy."
    ), document
long = good.replace("2012", " " * 6000)
assert "at most 5120 characters" in put(policy_name="p", policy_document=long)
assert put(policy_document=good) == "policyName is required."
assert put(policy_name="p") == "policyDocument is required."
""",
    "a_policy_of_one_group_is_refused_by_name": """
arn = "arn:aws:logs:us-east-1:000000000000:log-group:/g"
assert "(resourceArn) are not part of this stack" in put(policy_document=good, resource_arn=arn)
assert provider.describe_resource_policies(context, resource_arn=arn)["resourcePolicies"] == []
""",
    "a_policy_is_stored_by_moto": """
def call_moto(given):
    assert given is context
    backend.put_resource_policy("p", good)
resource_policies.call_moto = call_moto
assert put(policy_name="p", policy_document=good) is None
(one,) = provider.describe_resource_policies(context)["resourcePolicies"]
assert (one["policyName"], one["policyDocument"]) == ("p", good)
assert one["lastUpdatedTime"] > 0
""",
    "moto_still_takes_any_text": """
backend.put_resource_policy(None, "text")
""",
}


@pytest.mark.parametrize("name", CASES)
def test_resource_policies(fresh: Fresh, name: str) -> None:
    done = fresh.run(PRELUDE + CASES[name])

    assert done.returncode == 0, done.stderr

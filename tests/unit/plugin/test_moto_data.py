"""What moto makes too early is made when it is needed, and moto still makes it too early."""

from __future__ import annotations

import pytest

from tests.support.fresh import Fresh

#: In processes of their own: other tests of this process may have patched moto.
POLICY = """
import json
STATEMENT = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})
"""
CASES = {
    "policies_are_there_when_they_are_needed": """
from trigger_stack.localstack import moto_data
moto_data.install(); moto_data.install()
from moto.iam.models import IAMBackend
backend = IAMBackend("us-east-1", "000000000000")
assert vars(backend)["managed_policies"] is moto_data._LATER
arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
assert backend.get_policy(arn).name == "AWSLambdaBasicExecutionRole"
made = backend.create_policy("", "/", POLICY, "own", {})
assert backend.get_policy(made.arn) is made
assert len(backend.aws_managed_policies) > 1000
assert len(backend.managed_policies) == len(backend.aws_managed_policies) + 1
""",
    "a_first_policy_of_ones_own_hides_none_of_aws": """
from trigger_stack.localstack import moto_data
moto_data.install()
from moto.iam.models import IAMBackend
backend = IAMBackend("us-east-1", "000000000000")
backend.create_policy("", "/", POLICY, "own", {})
assert len(backend.managed_policies) > 1000
""",
    "the_key_of_user_pools_is_read_once_when_it_is_needed": """
from trigger_stack.localstack import moto_data
moto_data.install()
import sys
assert "moto.cognitoidp" not in sys.modules  # its import takes a while
moto_data.install_user_pools(); moto_data.install_user_pools()
from moto.cognitoidp.models import CognitoIdpUserPool
pools = [CognitoIdpUserPool("000000000000", "us-east-1", n, {}) for n in "ab"]
assert vars(pools[0])["json_web_key"] is moto_data._LATER
assert pools[0].json_web_key is pools[1].json_web_key
assert pools[0].json_web_key.is_private
""",
    "what_ec2_offers_is_there_when_it_is_needed": """
import json
from trigger_stack.localstack import moto_data
moto_data.install()
from moto.ec2.models import instance_types
offered = instance_types.INSTANCE_TYPE_OFFERINGS["region"]["eu-central-1"]
assert "data" not in vars(offered)
assert len(offered) > 100
assert {one["LocationType"] for one in offered} == {"region"}
assert json.dumps([*offered])
""",
    "moto_still_reads_at_once_what_ec2_offers": """
from moto.ec2.models import instance_types
assert type(instance_types.INSTANCE_TYPE_OFFERINGS["region"]["eu-central-1"]) is list
""",
    "localstack_s_policies_are_there_when_they_are_needed": """
from trigger_stack.localstack import moto_data
moto_data.install()
from localstack.services.iam.provider import IamProvider
provider = IamProvider()
provider.on_after_init()
assert vars(provider)["_aws_managed_policy_cache"] is moto_data._LATER
arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
assert provider._aws_managed_policy_cache[arn].policy["PolicyName"] == arn.rpartition("/")[2]
assert len(provider._aws_managed_policy_cache) > 1000
""",
    "localstack_still_reads_policies_at_once": """
from localstack.services.iam.provider import IamProvider
provider = IamProvider()
provider.on_after_init()
assert len(vars(provider)["_aws_managed_policy_cache"]) > 1000
""",
    "moto_still_reads_policies_at_once": """
from moto.iam.models import IAMBackend
assert len(vars(IAMBackend("us-east-1", "000000000000"))["managed_policies"]) > 1000
""",
    "moto_still_reads_the_key_for_each_pool": """
from moto.cognitoidp.models import CognitoIdpUserPool
keys = [CognitoIdpUserPool("000000000000", "us-east-1", n, {}).json_web_key for n in "ab"]
assert keys[0] is not keys[1]
""",
}


@pytest.mark.parametrize("name", CASES)
def test_data_of_moto(fresh: Fresh, name: str) -> None:
    done = fresh.run(POLICY + CASES[name], env={"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"})

    assert done.returncode == 0, done.stderr

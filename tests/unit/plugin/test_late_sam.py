"""The provider of CloudFormation is there without SAM's translator, and translates with it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from trigger_stack.localstack.cloudformation.late_sam import imported_later

with imported_later():
    from localstack.services.cloudformation.engine.v2 import change_set_model_transform as module
assert not [name for name in sys.modules if name.startswith("samtranslator")]
from localstack.services.cloudformation.engine import policy_loader


class NoPolicies:
    def load(self):
        return {}


template = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Queue": {"Type": "AWS::Serverless::SimpleTable"},
    },
}
import os

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
made = module.transform_sam(template, {}, NoPolicies())
assert made["Resources"]["Queue"]["Type"] == "AWS::DynamoDB::Table", made
assert policy_loader.ManagedPolicyLoader(iam_client=None) is not None
assert "samtranslator.translator.transform" in sys.modules
print("translated")
"""


def test_the_translator_is_imported_when_a_template_is_translated() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=120
    )

    assert done.stdout.splitlines()[-1:] == ["translated"], done.stderr

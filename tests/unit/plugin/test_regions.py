"""Regions are read once, and are the same; LocalStack and moto still read them again and again."""

from __future__ import annotations

import pytest

from tests.support.fresh import Fresh

READ = """
import boto3
from botocore.loaders import JSONFileLoader
read = []
original = JSONFileLoader.load_file
def load_file(self, path):
    read.append(path)
    return original(self, path)
JSONFileLoader.load_file = load_file
def ask():
    sessions = boto3.Session(), boto3.Session()
    return [
        [one.get_available_partitions(), one.get_available_regions("sqs"),
         one.get_available_regions("sns", "aws-cn"), one.get_available_regions("nothing")]
        for one in sessions
    ]
"""
CASES = {
    "read_once": """
before = ask()
from trigger_stack.localstack import regions
regions.read_once(); regions.read_once()
ask(); read.clear()
assert ask() == before
assert before[0][1] and before[0][2] == ["cn-north-1", "cn-northwest-1"]
assert read == [], read
""",
    "an_answer_may_be_changed": """
from trigger_stack.localstack import regions
regions.read_once()
ask()[0][1].clear()
assert ask()[0][1]
""",
    "aws_stack_makes_one_session": """
from trigger_stack.localstack import regions
regions.read_once()
from localstack.utils.aws import aws_stack
assert aws_stack.boto3.Session() is aws_stack.boto3.Session()
assert aws_stack.get_boto3_region() is None
""",
    "boto3_still_reads_again": """
ask(); read.clear()
ask()
assert len([path for path in read if path.endswith("endpoints")]) == 2, read
""",
}


@pytest.mark.parametrize("name", CASES)
def test_regions(fresh: Fresh, name: str) -> None:
    done = fresh.run(READ + CASES[name])

    assert done.returncode == 0, done.stderr

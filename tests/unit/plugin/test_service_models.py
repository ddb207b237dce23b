"""Models are read once and are what they were, and LocalStack and moto still read each twice."""

from __future__ import annotations

import pytest

from tests.support.fresh import Fresh

READ = """
import boto3
from botocore import loaders
read = []
def counted(path, *args, open_file):
    file = open_file(path, *args)
    read.append(str(path))
    return file
for ending, open_file in list(loaders._JSON_OPEN_METHODS.items()):
    loaders._JSON_OPEN_METHODS[ending] = (
        lambda path, *args, open_file=open_file: counted(path, *args, open_file=open_file)
    )
def models(service):
    of_it = [path for path in read if f"/botocore/data/{service}/" in path]
    return len([path for path in of_it if "service-2.json" in path])
def client(service):
    return boto3.Session("a", "b", region_name="us-east-1").client(service)
def ask():
    from localstack.aws.spec import load_service
    from moto.core.utils import get_service_model
    made = client("events").meta.service_model, load_service("events"), get_service_model("events")
    return [one.operation_model("PutRule").input_shape.members.keys() for one in made]
"""
ONCE = """
from trigger_stack.localstack import service_models
service_models.read_once(); service_models.read_once()
service_models.share_with_moto(); service_models.share_with_moto()
"""
CASES = {
    "all_three_read_a_model_once": ONCE
    + """first, *others = ask()
assert "EventPattern" in first and others == [first, first]
assert models("events") == 1, read
read.clear()
ask()
assert models("events") == 0, read
""",
    "what_is_missing_is_missing": ONCE
    + """import pytest
from botocore.exceptions import DataNotFoundError, UnknownServiceError
loader = service_models.shared_loader()
for _ in range(2):
    with pytest.raises(DataNotFoundError):
        loader.load_data("nothing")
    with pytest.raises(UnknownServiceError):
        loader.load_service_model("nothing", "service-2")
""",
    "the_services_are_those_that_botocore_finds": """
from botocore.loaders import Loader
from localstack.aws.spec import LOCALSTACK_BUILTIN_DATA_PATH
KINDS = ("service-2", "endpoint-rule-set-1", "waiters-2")
def found():
    loader = Loader(extra_search_paths=[LOCALSTACK_BUILTIN_DATA_PATH])
    return {kind: loader.list_available_services(kind) for kind in KINDS}
before = found()
"""
    + ONCE
    + """assert found() == before
assert len(before["service-2"]) > 400 and "sqs-query" in before["service-2"]
""",
    "what_moto_adds_only_moto_sees": """
from moto.core.utils import get_service_model
get_service_model.cache_clear()
before = get_service_model("sqs")._service_description
get_service_model.cache_clear()
"""
    + ONCE
    + """
after = get_service_model("sqs")._service_description
assert after == before
assert after["operations"]["CreateQueue"]["output"]["resultWrapper"] == "CreateQueueResult"
output = service_models.shared_loader().load_service_model("sqs", "service-2")["operations"]
assert "resultWrapper" not in output["CreateQueue"]["output"]
assert get_service_model("ec2").shape_for("DryRunOperation")
""",
    "what_localstack_changes_only_localstack_sees": ONCE
    + """from localstack.aws.spec import load_service, loader
assert loader.patches
for path in loader.patches:
    name = path.partition("/")[0]
    plain = service_models.shared_loader().load_service_model(name, "service-2")
    assert load_service(name)._service_description != plain, name
s3 = client("s3")
s3.meta.events.register("before-send.s3", lambda **_: 1 / 0)
try:
    s3.list_objects_v2(Bucket="bucket")
except ZeroDivisionError:
    pass
uri = load_service("s3").operation_model("ListObjectsV2").http["requestUri"]
assert uri == "/{Bucket}?list-type=2", uri
""",
    "moto_finds_operations_by_their_addresses": """
from moto.core.responses import _get_method_urls
names = "apigateway", "scheduler", "awslambda"
before = {name: _get_method_urls(name, "us-east-1") for name in names}
_get_method_urls.cache_clear()
"""
    + ONCE
    + """
read.clear()
assert before == {name: _get_method_urls(name, "us-east-1") for name in before}
assert not [path for path in read if "endpoint" in path], read
""",
    "they_still_read_for_each": """
ask()
assert models("events") == 3, read
""",
    "botocore_still_makes_ordered_dictionaries": """
import collections
assert type(client("sqs").meta.service_model._service_description) is collections.OrderedDict
""",
    "moto_still_makes_a_client_for_addresses": """
from moto.core.responses import _get_method_urls
_get_method_urls("scheduler", "us-east-1")
assert [path for path in read if "endpoint" in path]
""",
}


@pytest.mark.parametrize("name", CASES)
def test_models(fresh: Fresh, name: str) -> None:
    done = fresh.run(READ + CASES[name])

    assert done.returncode == 0, done.stderr

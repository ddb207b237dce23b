"""The service ``kinesis`` of LocalStack: streams in this process.

What: a provider ``kinesis:in_process`` (LocalStack's extension point ``localstack.aws.provider``),
the default, in front of the service of ours.
Why: LocalStack fetches a Kinesis emulator from npm at first use and runs it as a process of Node.js
behind HTTP: it needs the network and Node.js, 100 MB of memory, and tens of milliseconds a record.
Until: LocalStack's open release has Kinesis without another process.
Test: ``tests/unit/plugin/test_stream_patches.py::test_kinesis_is_still_another_process``.
"""

from __future__ import annotations

from localstack import config
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.runtime.hooks import on_infra_start
from localstack.services.plugins import Service, aws_provider

from trigger_stack.localstack.aws_service import dispatch_table
from trigger_stack.localstack.streams.wakeups import wake_stream
from trigger_stack.services.kinesis.service import Kinesis

#: The streams of this process; event source mappings read them here.
SERVICE = Kinesis(wake_stream)


@on_infra_start(priority=800)
def choose_in_process_kinesis() -> None:
    """Use this provider unless a setting names another one."""
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("kinesis", "in_process")


@aws_provider(api="kinesis", name="in_process")
def kinesis() -> Service:
    """The service for LocalStack."""
    model = load_service("kinesis")
    return Service("kinesis", skeleton=Skeleton(model, dispatch_table(SERVICE)))

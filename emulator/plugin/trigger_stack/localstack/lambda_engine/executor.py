"""The runtime executor that LocalStack's settings name: the engine.

What: ``localstack.lambda.runtime_executor`` is LocalStack's own extension point for how functions
are executed. Its interface is one object for each environment; here the engine owns the
environments, so only the parts that are asked for a version are used.
Why: the open release runs functions in Docker containers only.
Until: as long as the engine executes functions.
Test: ``tests/engine/test_patches.py``.
"""

from __future__ import annotations

import logging
from typing import Any

from localstack import config
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

LOG = logging.getLogger(__name__)


class EngineRuntimeExecutor(RuntimeExecutor):
    """Stands for the engine; ``EngineVersionManager`` invokes."""

    def start(self, env_vars: dict[str, str]) -> None:
        """Not used: the engine starts environments."""
        raise NotImplementedError

    def stop(self) -> None:
        """Not used: the engine ends environments."""
        raise NotImplementedError

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Not used: version managers invoke."""
        raise NotImplementedError

    def get_logs(self) -> str:
        """Not used: the engine stores logs."""
        raise NotImplementedError

    def get_address(self) -> str:
        """Functions run on this machine."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """The emulator as functions reach it: no DNS involved."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Not used by functions: each environment has a Runtime API of its own."""
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Nothing to do: ``EngineVersionManager.start`` prepares."""

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing to do: ``EngineVersionManager.stop`` cleans up."""

    @classmethod
    def validate_environment(cls) -> bool:
        """Say in one line what can run and how isolated it is."""
        from trigger_stack.localstack.lambda_engine.control_plane import control_plane

        reply, _ = control_plane().call({"op": "describe"})
        LOG.info("Lambda engine: %s", reply["text"])
        return True


class EngineRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    """Entry point ``process`` in group ``localstack.lambda.runtime_executor``."""

    name = "process"

    def load(self, *args: Any, **kwargs: Any) -> type[EngineRuntimeExecutor]:
        """Patch LocalStack and return the executor class."""
        from trigger_stack.localstack.lambda_engine import patches

        patches.apply()
        return EngineRuntimeExecutor

"""Entry point: makes ``LAMBDA_RUNTIME_EXECUTOR=process`` known to LocalStack."""

from __future__ import annotations

from typing import Any

from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    """LocalStack loads it when the setting names it."""

    name = "process"

    def load(self, *args: Any, **kwargs: Any) -> Any:
        """Returns the executor class."""
        from lambda_process_executor.executor import (
            ProcessRuntimeExecutor,
            install_patches,
        )

        install_patches()
        return ProcessRuntimeExecutor

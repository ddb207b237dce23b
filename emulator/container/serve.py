"""Runs the emulator in a container: the settings of a native run, in the foreground."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".trigger-stack"
# Cgroup v2, then v1; both say "no limit" with something that is no sensible number of bytes.
_LIMIT_FILES = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_NO_LIMIT_MB = 1 << 24
#: What LocalStack, DynamoDB Local and the vision worker take of the container's memory.
_EMULATOR_MB = 900
_LEAST_FOR_FUNCTIONS_MB = 128


def memory_limit_mb() -> int | None:
    """Memory limit of this container in MB, None when it has none."""
    for file in _LIMIT_FILES:
        try:
            limit = int(file.read_text()) >> 20
        except (OSError, ValueError):
            continue
        return limit if limit < _NO_LIMIT_MB else None
    return None


def main() -> None:
    """Set the environment and become LocalStack."""
    sys.path.insert(0, str(ROOT))
    from bootstrap.runtime import catalog
    from bootstrap.runtime.native import environment
    from bootstrap.settings import Settings

    (STATE / "tmp").mkdir(parents=True, exist_ok=True)
    catalog.provide(STATE)
    # Every interface of the container: Compose publishes the ports on the host's 127.0.0.1.
    os.environ["GATEWAY_HOST"] = os.environ["HTTP_API_LISTEN"] = "0.0.0.0"  # noqa: S104
    limit = memory_limit_mb()
    if limit is not None and not os.environ.get("LAMBDA_PROCESS_MEMORY_MB"):
        # The machine's free memory, which the executor would share out, is not the container's.
        for_functions = max(limit - _EMULATOR_MB, _LEAST_FOR_FUNCTIONS_MB)
        os.environ["LAMBDA_PROCESS_MEMORY_MB"] = str(for_functions)
    settings = Settings.from_environment()
    os.environ.update(environment(settings, STATE))
    from trigger_stack.localstack.serve import main as serve

    serve()


if __name__ == "__main__":
    main()

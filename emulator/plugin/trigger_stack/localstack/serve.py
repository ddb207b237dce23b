"""Runs LocalStack in the foreground, and ends when it has shut down.

What: calls ``localstack.runtime.main`` and ends the process when that returns.
Why: ``python -m localstack.runtime.main`` goes on for seconds after its last line, because threads
that wait for messages keep the process.
Until: LocalStack's own process ends with its last line.
Test: ``tests/unit/plugin/test_serve.py``.
"""

from __future__ import annotations

import os
import sys

from trigger_stack.localstack import imports


def main() -> None:
    """Run until LocalStack ends; never returns."""
    # To compile it takes a fifth of the time until the stack is live (bootstrap/__main__.py).
    sys.dont_write_bytecode = False
    imports.leave_out()
    from trigger_stack.localstack import (
        garbage,
        gateway_server,
        loading,
        log_noise,
        routing,
        service_models,
    )

    log_noise.keep_out()
    garbage.rest()
    gateway_server.make_no_certificate()
    routing.compile_later()
    service_models.read_once()
    loading.one_after_the_other()
    from localstack.runtime.main import main as localstack

    code: object = 0
    try:
        localstack()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()

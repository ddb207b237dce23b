"""The pre-imported parent from which Python execution environments are forked.

It runs in the function's interpreter, not in the emulator's, so it uses the standard library only
and imports nothing from this package. It never holds credentials or user code: both reach a child
after the fork, in the spawn request.

The emulator talks to it over a Unix stream socket (file descriptor ``--control``). A message is a
4-byte big-endian length, carrying descriptors for a spawn request, and a JSON object:

``{"spawn": {...}}`` with two descriptors, the log pipe and the status pipe, or ``{"kill": pid}``.

What becomes of a child is written to its own status pipe, one JSON object a line:
``{"pid": 1}``, ``{"error": "…"}`` (the child could not be set up), ``{"exit": wait status,
"peak_kb": 1}``. End of file without ``exit`` means that this process is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import socket
import sys
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  pathlib costs memory
# Behind the standard library, so that nothing beside this package can shadow it.
sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(HERE))))  # noqa: PTH120

from trigger_stack_engine.environments.zygote.child import become, run_python  # noqa: E402
from trigger_stack_engine.environments.zygote.immortal import immortalise  # noqa: E402
from trigger_stack_engine.environments.zygote.parent import Zygote  # noqa: E402
from trigger_stack_engine.environments.zygote.preload import preload  # noqa: E402
from trigger_stack_engine.environments.zygote.sandbox import Sandbox  # noqa: E402

sys.path.pop()


def main() -> None:
    """Fork environments as the engine asks, until it ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--preload", action="append", default=[])
    parser.add_argument("--path", action="append", default=[])
    parser.add_argument("--sandbox", type=json.loads, required=True)
    options = parser.parse_args()
    control = socket.socket(fileno=options.control)
    control.set_inheritable(False)
    sandbox = Sandbox(options.sandbox)
    control.sendall(json.dumps(sandbox.facts()).encode() + b"\n")
    runtime = options.sandbox.get("runtime")
    if sandbox.mounts and runtime:
        options.path = [path.replace(runtime, "/var/runtime", 1) for path in options.path]
    gc.disable()
    preload(options.preload, options.path)
    gc.collect()
    immortalise()
    gc.freeze()

    def run_child(job: dict[str, Any]) -> None:
        become(job, sandbox)
        run_python(job)

    Zygote(control, sandbox, run_child).run()
    os._exit(0)


if __name__ == "__main__":
    main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()

"""Forks a process for each command of the bootstrap: see running.py.

``command_server.py SECONDS`` reads one JSON mapping per line: the command's ``arguments``, what its
``environment`` has besides, and the two ``files`` for what it prints. It answers each with a line:
the exit code, negative for a signal, as ``subprocess`` has it.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd()))

import bootstrap.commands
from bootstrap import cli


def main() -> None:
    seconds = int(sys.argv[1])
    for module in pkgutil.iter_modules(bootstrap.commands.__path__):
        importlib.import_module(f"bootstrap.commands.{module.name}")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.alarm(seconds)  # ends a command that hangs
            run(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run(order: dict[str, Any]) -> None:
    """Be the command."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, file in enumerate(order["files"], start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    os.environ.update(order["environment"])
    sys.argv = ["bootstrap", *order["arguments"]]
    cli.main()
    sys.exit(0)


if __name__ == "__main__":
    main()

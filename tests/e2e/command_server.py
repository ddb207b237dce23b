"""Forks a process for each command of the bootstrap: see running.py.

``command_server.py SOCKET SECONDS`` listens on a Unix socket, and prints a line when it does. A
client sends one JSON mapping per line: the command's ``arguments``, what its ``environment`` has
besides, and the two ``files`` for what it prints. It gets a line for each: the exit code, negative
for a signal, as ``subprocess`` has it. The server ends with its last client, and
removes the socket's folder.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import shutil
import signal
import socketserver
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path.cwd()))

import bootstrap.commands
from bootstrap import cli
from bootstrap.settings import Settings


class Client(socketserver.StreamRequestHandler):
    """One client, in a process of its own."""

    def handle(self) -> None:
        for line in self.rfile:
            child = os.fork()
            if child == 0:
                signal.alarm(int(sys.argv[2]))  # ends a command that hangs
                run(json.loads(line))
            _, status = os.waitpid(child, 0)
            self.wfile.write(b"%d\n" % os.waitstatus_to_exitcode(status))


class Server(socketserver.ForkingUnixStreamServer):
    """Serves clients until the last has gone."""

    max_children = 1000

    def service_actions(self) -> None:
        """Called twice a second: see which clients have gone."""
        had_clients = bool(self.active_children)
        super().service_actions()
        if had_clients and not self.active_children:
            shutil.rmtree(Path(sys.argv[1]).parent)
            sys.exit(0)


def preload() -> None:
    """Import what commands import, and read the models of the services that they call."""
    for module in pkgutil.iter_modules(bootstrap.commands.__path__):
        importlib.import_module(f"bootstrap.commands.{module.name}")
    importlib.import_module("typer._adapters")  # typer does so with the first parameter
    settings = Settings.from_environment()
    for service in ("events", "iam", "lambda", "logs", "pipes", "s3", "scheduler", "sns", "sqs"):
        settings.client(service)


def run(order: dict[str, Any]) -> NoReturn:
    """Be the command."""
    code: Any = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for descriptor, file in enumerate(order["files"], start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
        os.environ.update(order["environment"])
        sys.argv = ["bootstrap", *order["arguments"]]
        cli.main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:  # as the interpreter does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    preload()
    gc.freeze()  # what is shared with the commands stays shared
    with Server(sys.argv[1], Client) as server:
        print("listening", flush=True)
        server.serve_forever()

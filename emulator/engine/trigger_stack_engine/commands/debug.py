"""Starts a function's next environment under debugpy (``python -m …commands.debug FUNCTION``)."""

from __future__ import annotations

import argparse
import json

from trigger_stack_engine.commands.cli import check_function, control, load_lambda, name, parser


def attach_configuration(function: str, port: int) -> str:
    """The entry for VS Code's ``launch.json``."""
    return json.dumps(
        {
            "name": f"Lambda {function}",
            "type": "debugpy",
            "request": "attach",
            "connect": {"host": "127.0.0.1", "port": port},
            "pathMappings": [
                {"localRoot": "${workspaceFolder}", "remoteRoot": "/var/task"},
            ],
            "justMyCode": False,
        },
        indent=2,
    )


def _port(text: str) -> int:
    """A port that needs no privileges; for argparse."""
    if not text.isdecimal() or not 1024 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r}: write a number from 1024 to 65535")
    return int(text)


def main() -> None:
    """Ask for a debugger and say how to attach."""
    options = parser("Start the next environment of a Python function under debugpy.")
    options.add_argument("function", type=name, help="name of the function")
    options.add_argument("--port", type=_port, default=5678, help="port on 127.0.0.1")
    options.add_argument("--no-wait", action="store_true", help="do not wait for the debugger")
    arguments = options.parse_args()
    check_function(arguments.function, load_lambda(arguments.endpoint))
    control(
        arguments.endpoint,
        "debug",
        "POST",
        {
            "function": arguments.function,
            "port": arguments.port,
            "wait": not arguments.no_wait,
        },
    )
    waits = "runs on" if arguments.no_wait else "waits until a debugger attaches"
    print(f"The next invoke of {arguments.function} starts under debugpy and {waits}.")
    print(f"Attach to 127.0.0.1:{arguments.port}; time-outs are off for that environment.")
    print("VS Code, .vscode/launch.json:")
    print(attach_configuration(arguments.function, arguments.port))


if __name__ == "__main__":
    main()

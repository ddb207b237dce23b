"""``python -m lambda_process_executor.debug FUNCTION``: a debugger in its next environment."""

from __future__ import annotations

import json

from lambda_process_executor.cli import control, load_lambda, parser


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


def main() -> None:
    """Ask for a debugger and say how to attach."""
    options = parser("Start the next environment of a Python function under debugpy.")
    options.add_argument("function", help="name of the function")
    options.add_argument("--port", type=int, default=5678, help="port on 127.0.0.1")
    options.add_argument("--no-wait", action="store_true", help="do not wait for the debugger")
    arguments = options.parse_args()
    names = load_lambda(arguments.endpoint)
    if arguments.function not in names:
        known = ", ".join(sorted(names)) or "none"
        raise SystemExit(f"There is no function {arguments.function!r}; functions: {known}")
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

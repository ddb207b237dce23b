"""Routes on LocalStack's port for the command line tools: hot reload and debugging.

``/_trigger_stack/lambda/hot-reload`` (``POST {"root": "/absolute/folder"}``, ``DELETE``) and
``/_trigger_stack/lambda/debug`` (``POST {"function": "name", "port": 5678, "wait": true}``).
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localstack.http import Request, Response, route

from lambda_process_executor.hot_reload import HotReload

PREFIX = "/_trigger_stack/lambda"


@dataclass(frozen=True)
class DebugRequest:
    """How the next environment of a function is to be debugged."""

    port: int
    wait: bool


class DebugRequests:
    """Requests that no environment has taken yet, by function name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, DebugRequest] = {}

    def put(self, function: str, request: DebugRequest) -> None:
        """Ask for a debugger in the next environment of ``function``."""
        with self._lock:
            self._open[function] = request

    def take(self, function: str) -> DebugRequest | None:
        """The request for ``function``, if there is one; it is answered then."""
        if not self._open:
            return None
        with self._lock:
            return self._open.pop(function, None)


class Control:
    """The routes."""

    def __init__(self, hot_reload: HotReload, debugging: DebugRequests) -> None:
        self.hot_reload = hot_reload
        self.debugging = debugging

    @route(f"{PREFIX}/hot-reload", methods=["POST", "DELETE"])
    def set_hot_reload(self, request: Request, **_: Any) -> Response:
        """Run functions from a working tree, or from their packages again."""
        if request.method == "DELETE":
            self.hot_reload.root = None
            return _answer(200, {"root": None})
        root = _body(request).get("root")
        if not isinstance(root, str) or not Path(root).is_absolute() or not Path(root).is_dir():
            return _answer(400, {"message": "root: give the absolute path of a folder"})
        self.hot_reload.root = Path(root)
        return _answer(200, {"root": root})

    @route(f"{PREFIX}/debug", methods=["POST"])
    def debug(self, request: Request, **_: Any) -> Response:
        """Start the next environment of a function under debugpy."""
        body = _body(request)
        function, port = body.get("function"), body.get("port", 5678)
        if not isinstance(function, str) or not function:
            return _answer(400, {"message": "function: give the name of a function"})
        if not isinstance(port, int) or isinstance(port, bool) or not 1024 <= port <= 65535:
            return _answer(400, {"message": "port: give a number from 1024 to 65535"})
        self.debugging.put(function, DebugRequest(port, body.get("wait") is not False))
        return _answer(200, {"function": function, "port": port})


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")

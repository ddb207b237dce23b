"""Routes on LocalStack's port for health checks, faults, hot reload and debugging.

``GET /_trigger_stack/health`` answers 200, or 503 when functions cannot be started; LocalStack's
own ``/_localstack/health`` does not know. ``GET`` and ``PUT /_trigger_stack/chaos``: faults on
purpose, see ``FaultSettings`` of the engine.

``/_trigger_stack/lambda/hot-reload`` (``POST {"root": "/absolute/folder"}``, ``DELETE``) and
``/_trigger_stack/lambda/debug`` (``POST {"function": "name", "port": 5678, "wait": true}``).

What: routes at LocalStack's router.
Why: AWS has no operation for them.
Until: as long as these tools exist.
Test: ``tests/engine/test_tools.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from localstack.http import Request, Response, route

from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.lambda_engine.control_plane import ControlPlane
from trigger_stack_engine.invoke.faults import FaultSettingError, FaultSettings

PREFIX = "/_trigger_stack/lambda"
HEALTH = "/_trigger_stack/health"
CHAOS = "/_trigger_stack/chaos"


class Routes:
    """The routes."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        self._faults = FaultSettings()

    @route(HEALTH, methods=["GET"])
    def health(self, request: Request, **_: Any) -> Response:
        """``{"functions": "available"}``, or 503 with the reason why they cannot start."""
        try:
            reply, _body = self._control_plane.call({"op": "health"})
            problem = reply["problem"]
        except EngineUnavailableError as error:
            problem = str(error)
        return _answer(503 if problem else 200, {"functions": problem or "available"})

    @route(f"{PREFIX}/hot-reload", methods=["POST", "DELETE"])
    def set_hot_reload(self, request: Request, **_: Any) -> Response:
        """Run functions from a working tree, or from their packages again."""
        if request.method == "DELETE":
            self._control_plane.push("hot_reload", lambda: None)
            return _answer(200, {"root": None})
        root = _body(request).get("root")
        if not isinstance(root, str) or not Path(root).is_absolute() or not Path(root).is_dir():
            return _answer(400, {"message": "root: give the absolute path of a folder"})
        self._control_plane.push("hot_reload", lambda: root)
        return _answer(200, {"root": root})

    @route(CHAOS, methods=["GET", "PUT"])
    def chaos(self, request: Request, **_: Any) -> Response:
        """The faults that happen on purpose, or others from now on; what is missing is 0."""
        if request.method == "PUT":
            try:
                faults = FaultSettings.from_json(_body(request))
            except FaultSettingError as error:
                return _answer(400, {"message": str(error)})
            self._control_plane.push("faults", faults.to_json)
            self._faults = faults
        return _answer(200, self._faults.to_json())

    @route(f"{PREFIX}/debug", methods=["POST"])
    def debug(self, request: Request, **_: Any) -> Response:
        """Start the next environment of a function under debugpy."""
        body = _body(request)
        function, port = body.get("function"), body.get("port", 5678)
        if not isinstance(function, str) or not function:
            return _answer(400, {"message": "function: give the name of a function"})
        if not isinstance(port, int) or isinstance(port, bool) or not 1024 <= port <= 65535:
            return _answer(400, {"message": "port: give a number from 1024 to 65535"})
        wait = body.get("wait") is not False
        self._control_plane.call({"op": "debug", "function": function, "port": port, "wait": wait})
        return _answer(200, {"function": function, "port": port})


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")

"""Routes below ``/_trigger_stack/events`` that read the engine's journal.

``GET …/events`` lists events (filters: see ``list_events``), ``GET …/events/<id>`` gives one with
everything of its trace, ``GET …/events/live`` sends each event whenever it changes (server-sent
events; filters: see ``matcher``), ``POST …/events/query`` takes ``{"sql": "SELECT …"}`` over the
views ``events``, ``steps`` and ``attempts``. Rows are JSON.

What: routes at LocalStack's router.
Why: AWS has no operation that says where an event is.
Until: as long as the journal exists.
Test: ``tests/engine/test_asynchronous.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from localstack.http import Request, Response, route
from localstack.runtime import events

from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.lambda_engine.control_plane import ControlPlane
from trigger_stack_engine.journal.queries import (
    MOST_ROWS,
    FilterError,
    list_events,
    matcher,
)
from trigger_stack_engine.journal.relations import ATTEMPTS, EVENTS, STEPS, related
from trigger_stack_engine.wire import RemoteError

PREFIX = "/_trigger_stack/events"
_COMMENT_EVERY_S = 5


class JournalRoutes:
    """The routes."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane

    @route(PREFIX, methods=["GET"])
    def events(self, request: Request, **_: Any) -> Response:
        """``{"events": [row, …]}``, the newest first."""
        try:
            sql, values = list_events(request.args.to_dict())
        except FilterError as error:
            return _answer(400, {"message": str(error)})
        return self._rows({"events": (sql, values)})

    @route(f"{PREFIX}/live", methods=["GET"])
    def live(self, request: Request, **_: Any) -> Response:
        """Server-sent events: each event whenever it changes, from now on, as a list has it."""
        try:
            matches = matcher(request.args.to_dict())
            reply, _body = self._control_plane.call({"op": "changes", "cursor": None, "wait_s": 0})
        except FilterError as error:
            return _answer(400, {"message": str(error)})
        except EngineUnavailableError as error:
            return _answer(503, {"message": str(error)})
        return Response(
            self._changes(reply["cursor"], matches),
            mimetype="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    def _changes(
        self, cursor: dict[str, Any], matches: Callable[[dict[str, Any]], bool]
    ) -> Iterator[bytes]:
        yield b": what changes from now on\n\n"
        while not events.infra_stopping.is_set():
            try:
                reply, rows = self._control_plane.call(
                    {"op": "changes", "cursor": cursor, "wait_s": _COMMENT_EVERY_S}
                )
            except EngineUnavailableError:  # another one goes on with the same journal
                events.infra_stopping.wait(1)
                continue
            cursor = reply["cursor"]
            found = [row for row in json.loads(rows) if matches(row)]
            text = "".join(f"data: {json.dumps(row)}\n\n" for row in found)
            yield text.encode() or b": nothing new\n\n"  # a client that went away is noticed

    @route(f"{PREFIX}/<event>", methods=["GET"])
    def event(self, request: Request, event: str, **_: Any) -> Response:
        """``{"events": …, "steps": …, "attempts": …}`` of its traces; 404 without the event."""

        def answer() -> dict[str, Any]:
            values = [json.dumps(related(self._query, event))]
            queries = {"events": EVENTS, "steps": STEPS, "attempts": ATTEMPTS}
            return {name: self._query(sql, values) for name, sql in queries.items()}

        return self._answer(answer, missing=f"There is no event {event} in the journal.")

    @route(f"{PREFIX}/query", methods=["POST"])
    def query(self, request: Request, **_: Any) -> Response:
        """``{"rows": [row, …]}`` of a query that only reads."""
        try:
            sql = json.loads(request.data)["sql"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return _answer(400, {"message": 'The body must be {"sql": "SELECT …"}.'})
        return self._rows({"rows": (str(sql), [])})

    def _rows(self, queries: dict[str, tuple[str, list[Any]]]) -> Response:
        return self._answer(lambda: {name: self._query(*one) for name, one in queries.items()})

    def _query(self, sql: str, values: list[Any]) -> list[dict[str, Any]]:
        header = {"op": "journal", "sql": sql, "values": values, "most": MOST_ROWS}
        _, rows = self._control_plane.call(header)
        return list(json.loads(rows))

    def _answer(self, ask: Callable[[], dict[str, Any]], missing: str = "") -> Response:
        try:
            answer = ask()
        except RemoteError as error:
            return _answer(400, {"message": str(error)})
        except EngineUnavailableError as error:
            return _answer(503, {"message": str(error)})
        if missing and not answer["events"]:
            return _answer(404, {"message": missing})
        return _answer(200, answer)


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")

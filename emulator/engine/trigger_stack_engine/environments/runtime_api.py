"""The Lambda Runtime API, version 2018-06-01, as a state machine without sockets.

It follows AWS's documentation topic "Using the Lambda runtime API for custom runtimes": which
requests exist, in which order they are allowed, and what a wrong one is answered.
"""

from __future__ import annotations

import base64
import enum
import json
import re
from dataclasses import dataclass

from trigger_stack_engine.environments.http import Request, response
from trigger_stack_engine.environments.response_stream import ResponseStream

MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100  # what AWS's own error message names
PREFIX = "/2018-06-01/runtime/"
#: What ``zygote/runtime_client.py`` writes after an event that it has a result for.
_OWN_ANSWER = re.compile(
    rb"POST /2018-06-01/runtime/invocation/([!-.0-~]+)/response HTTP/1\.1\r\nHost: runtime\r\n"
    rb"Content-Type: application/json\r\nContent-Length: ([0-9]{1,18})\r\n\r\n"
)
_OWN_NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n"
_INVOCATION = re.compile(r"invocation/([^/?]+)/(response|error)")


class State(enum.Enum):
    """Where the runtime is in its life."""

    INIT = "RuntimeStarted"
    READY = "RuntimeReady"
    RUNNING = "RuntimeRunning"
    ANSWERED = "RuntimeInvocationResponseSent"
    INIT_FAILED = "RuntimeInitError"


@dataclass(slots=True)
class Event:
    """The answer to a runtime's ``next``.

    Attributes:
        deadline_ms: Unix time in milliseconds.
        stream: Gets a streamed response while it comes; ``None``: the caller wants all of it.
    """

    request_id: str
    payload: bytes
    invoked_arn: str
    deadline_ms: int
    trace_id: str | None = None
    client_context: str | None = None
    cognito_identity: str | None = None
    stream: ResponseStream | None = None

    def message(self) -> bytes:
        """The whole response to ``next``."""
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(self.payload)}\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {_one_line(self.request_id)}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {self.deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {_one_line(self.invoked_arn)}\r\n"
        )
        if self.trace_id:
            head += f"Lambda-Runtime-Trace-Id: {_one_line(self.trace_id)}\r\n"
        if self.client_context:
            head += f"Lambda-Runtime-Client-Context: {_one_line(self.client_context)}\r\n"
        if self.cognito_identity:
            head += f"Lambda-Runtime-Cognito-Identity: {_one_line(self.cognito_identity)}\r\n"
        return f"{head}\r\n".encode("latin-1", "replace") + self.payload


@dataclass(slots=True)
class Answer:
    """The runtime's response to the current event."""

    payload: bytes
    is_error: bool
    error_type: str | None = None


def _one_line(value: str) -> str:
    if "\r" not in value and "\n" not in value:
        return value
    return value.replace("\r", " ").replace("\n", " ")


def _error(status: int, error_type: str, message: str) -> bytes:
    body = json.dumps({"errorMessage": message, "errorType": error_type})
    return response(status, body.encode())


ACCEPTED = response(202, b'{"status":"OK"}\n')


class RuntimeApi:
    """Answers the requests of one runtime process.

    :meth:`handle` returns the bytes to send, or ``None`` for a ``next`` that has to wait; the
    caller then calls :meth:`dispatch` when there is an event.
    """

    def __init__(self) -> None:
        self.state = State.INIT
        self.event: Event | None = None
        self.answer: Answer | None = None
        self.init_error: Answer | None = None

    def handle(self, request: Request) -> bytes | None:
        """Answer one request of the runtime."""
        path = request.path.partition("?")[0]
        if not path.startswith(PREFIX):
            return response(404, b"404 page not found\n", content_type="text/plain")
        route = path[len(PREFIX) :]
        if route == "invocation/next":
            return self._next(request)
        if route == "init/error":
            return self._init_error(request)
        match = _INVOCATION.fullmatch(route)
        if match:
            return self._report(request, match[1], is_error=match[2] == "error")
        return response(404, b"404 page not found\n", content_type="text/plain")

    def stream(self, request: Request, part: bytes) -> None:
        """A part of a body has come: hand it on when it is of a response that is streamed."""
        event = self.event
        if event is None or event.stream is None or self.state is not State.RUNNING:
            return
        if request.headers.get("lambda-runtime-function-response-mode") != "streaming":
            return
        match = _INVOCATION.fullmatch(request.path.partition("?")[0].removeprefix(PREFIX))
        if match and match[1] == event.request_id and match[2] == "response":
            event.stream.write(request.headers.get("content-type", ""), part)

    def dispatch(self, event: Event) -> bytes:
        """Hand ``event`` to the runtime: the answer to the waiting ``next``."""
        assert self.state is State.READY
        self.state = State.RUNNING
        self.event = event
        self.answer = None
        return event.message()

    def take_answer(self, data: bytes) -> bool:
        """Take a result together with the question for the next event.

        Args:
            data: What ``zygote/runtime_client.py`` has sent, as a whole.

        Returns:
            Whether it is nothing but these two. If not, nothing has happened: see :meth:`handle`.
        """
        event = self.event
        if event is None or self.state is not State.RUNNING:
            return False
        match = _OWN_ANSWER.match(data)
        if match is None or match[1].decode() != event.request_id:
            return False
        begin = match.end()
        end = begin + int(match[2])
        if end - begin > MAX_RESPONSE_BYTES or data[end:] != _OWN_NEXT:
            return False
        self.state = State.READY
        self.answer = Answer(data[begin:end], False)
        return True

    def _forbidden(self, target: State) -> bytes:
        return _error(
            403,
            "InvalidStateTransition",
            f"Transition from {self.state.value} to {target.value} is not allowed for Runtime",
        )

    def _next(self, request: Request) -> bytes | None:
        if request.method != "GET":
            return _error(405, "MethodNotAllowed", "use GET")
        if self.state in (State.RUNNING, State.INIT_FAILED):
            return self._forbidden(State.READY)
        self.state = State.READY
        return None

    def _init_error(self, request: Request) -> bytes:
        if request.method != "POST":
            return _error(405, "MethodNotAllowed", "use POST")
        if self.state is not State.INIT:
            return self._forbidden(State.INIT_FAILED)
        if request.too_large:
            return self._too_large()
        self.state = State.INIT_FAILED
        self.init_error = self._as_error(request)
        return ACCEPTED

    def _report(self, request: Request, request_id: str, *, is_error: bool) -> bytes:
        if request.method != "POST":
            return _error(405, "MethodNotAllowed", "use POST")
        if self.event is None or request_id != self.event.request_id:
            return _error(400, "InvalidRequestID", "Invalid request ID")
        if self.state is not State.RUNNING:
            return self._forbidden(State.ANSWERED)
        self.state = State.ANSWERED
        streamed = self.event.stream is not None and self.event.stream.begun
        if request.too_large and not streamed:
            self.answer = Answer(_too_large_payload(), True, "Function.ResponseSizeTooLarge")
            return self._too_large()
        if is_error:
            self.answer = self._as_error(request)
        elif "lambda-runtime-function-error-type" in request.trailers:
            self.answer = self._failed_stream(request.trailers)
        else:
            self.answer = Answer(request.body, False)
        return ACCEPTED

    @staticmethod
    def _as_error(request: Request) -> Answer:
        kind = request.headers.get("lambda-runtime-function-error-type")
        body = request.body
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            payload = None
        if not isinstance(payload, dict):
            # Lambda promises JSON to the caller, whatever a runtime sends.
            text = body.decode("utf-8", "replace")
            kind = kind or "Runtime.Unknown"
            body = json.dumps({"errorType": kind, "errorMessage": text}).encode()
        elif kind is None and isinstance(payload.get("errorType"), str):
            kind = payload["errorType"]
        return Answer(body, True, kind)

    @staticmethod
    def _failed_stream(trailers: dict[str, str]) -> Answer:
        """The error that a streamed response ended with; what was streamed before is dropped."""
        kind = trailers["lambda-runtime-function-error-type"]
        try:
            body = base64.b64decode(trailers.get("lambda-runtime-function-error-body", ""))
            payload = json.loads(body)
        except (ValueError, RecursionError):
            payload = None
        if not isinstance(payload, dict):
            body = json.dumps({"errorType": kind, "errorMessage": ""}).encode()
        return Answer(body, True, kind)

    @staticmethod
    def _too_large() -> bytes:
        return _error(
            413,
            "RequestEntityTooLarge",
            f"Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).",
        )


def _too_large_payload() -> bytes:
    message = (
        f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
    )
    return json.dumps(
        {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
    ).encode()

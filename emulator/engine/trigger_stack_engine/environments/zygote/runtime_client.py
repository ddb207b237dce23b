"""The Runtime API client of forked environments: HTTP over a socket that was inherited.

AWS's own client needs a ``host:port``, and whoever reaches a port can take an event. A forked
process has one end of a socket pair instead, which no other process can reach. This class has the
methods that AWS's ``bootstrap`` calls; everything else of the runtime is AWS's.
"""

from __future__ import annotations

import json
import re
import socket
from typing import Any

_PREFIX = "/2018-06-01/runtime"
_MAX_FAULT_BYTES = 1024 * 1024
#: What the engine answers a report with that it takes; see ``runtime_api.ACCEPTED``.
_TAKEN = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
    b'{"status":"OK"}\n'
)


#: Most events begin so; see ``runtime_api.Event.message``. Any other one is read line by line.
_EVENT = re.compile(
    rb"HTTP/1\.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ([0-9]+)\r\n"
    rb"Lambda-Runtime-Aws-Request-Id: ([^\r\n]*)\r\nLambda-Runtime-Deadline-Ms: ([0-9]+)\r\n"
    rb"Lambda-Runtime-Invoked-Function-Arn: ([^\r\n]*)\r\n"
    rb"Lambda-Runtime-Trace-Id: ([^\r\n]*)\r\n\r\n"
)


class RuntimeClient:
    """Speaks the Runtime API over the descriptor ``fd``.

    Args:
        fd: One end of a connected stream socket pair.
        marshaller: AWS's ``LambdaMarshaller``.
        request_class: AWS's ``InvocationRequest``.
    """

    def __init__(self, fd: int, marshaller: Any, request_class: Any) -> None:
        self.marshaller = marshaller
        self._request_class = request_class
        self._socket = socket.socket(fileno=fd)
        self._rest = b""
        self._unsent = b""  # what was handled last is sent together with the question for more
        self._reported = ""

    def wait_next_invocation(self) -> Any:
        """The next event. Raises SystemExit when the connection has ended."""
        try:
            self._send(_NEXT)
            data = self._rest or self._receive()
            event = _EVENT.match(data)
            if event is not None and len(data) - event.end() == int(event[1]):
                self._rest = b""
                _, invoke_id, deadline, arn, trace_id = event.groups()
                return self._request_class(
                    invoke_id=invoke_id.decode("latin-1"),
                    x_amzn_trace_id=trace_id.decode("latin-1"),
                    invoked_function_arn=arn.decode("latin-1"),
                    deadline_time_in_ms=int(deadline),
                    client_context=None,
                    cognito_identity=None,
                    tenant_id=None,
                    content_type="application/json",
                    event_body=data[event.end() :],
                    invocation_id=None,
                )
            self._rest = data
            status, headers, body = self._read()
        except OSError:
            raise SystemExit(1) from None
        _check(_ASKED, status, 200, body)
        return self._request_class(
            invoke_id=headers.get("Lambda-Runtime-Aws-Request-Id"),
            x_amzn_trace_id=headers.get("Lambda-Runtime-Trace-Id"),
            invoked_function_arn=headers.get("Lambda-Runtime-Invoked-Function-Arn"),
            deadline_time_in_ms=int(headers["Lambda-Runtime-Deadline-Ms"]),
            client_context=headers.get("Lambda-Runtime-Client-Context"),
            cognito_identity=headers.get("Lambda-Runtime-Cognito-Identity"),
            tenant_id=None,
            content_type=headers.get("Content-Type"),
            event_body=body,
            invocation_id=None,
        )

    def post_invocation_result(
        self,
        invoke_id: str,
        result_data: str | bytes,
        content_type: str = "application/json",
        invocation_id: str | None = None,
    ) -> None:
        """Send the result, together with the next question; see :meth:`_report`."""
        del invocation_id
        body = result_data if isinstance(result_data, bytes) else result_data.encode()
        path = f"POST {_PREFIX}/invocation/{invoke_id}/response"
        self._report(path, body, f"Content-Type: {content_type}\r\n")

    def post_invocation_error(
        self,
        invoke_id: str,
        error_response_data: str,
        xray_fault: str,
        invocation_id: str | None = None,
    ) -> None:
        """Send an error, together with the next question; see :meth:`_report`."""
        del invocation_id
        headers = "Content-Type: application/json\r\n"
        if len(xray_fault.encode()) < _MAX_FAULT_BYTES:
            headers += f"Lambda-Runtime-Function-XRay-Error-Cause: {_one_line(xray_fault)}\r\n"
        path = f"POST {_PREFIX}/invocation/{invoke_id}/error"
        self._report(path, error_response_data.encode(), headers)

    def post_init_error(
        self, error_response_data: dict[str, Any], error_type_override: str | None = None
    ) -> None:
        """Send why the init phase failed. Raises RuntimeError when it is not taken."""
        kind = error_type_override or error_response_data["errorType"]
        headers = f"Lambda-Runtime-Function-Error-Type: {_one_line(kind)}\r\n"
        body = json.dumps(error_response_data).encode()
        self._exchange(f"POST {_PREFIX}/init/error", body, 202, headers)

    def _report(self, request: str, body: bytes, headers: str) -> None:
        """Keep a report until the next question, which follows at once.

        Both go out in one write, and both answers come in with one read. A report that is not
        taken raises RuntimeError there.
        """
        self._unsent = _message(request, body, headers)
        self._reported = request

    def _exchange(
        self, request: str, body: bytes, expected: int, headers: str = ""
    ) -> tuple[dict[str, str], bytes]:
        try:
            self._send(_message(request, body, headers))
            status, answered, content = self._read()
        except OSError:
            raise SystemExit(1) from None
        _check(request, status, expected, content)
        return answered, content

    def _send(self, message: bytes) -> None:
        """Send a request together with the report that waits, and read what that is answered."""
        reported, self._reported = self._reported, ""
        data, self._unsent = self._unsent + message, b""
        self._socket.sendall(data)
        if reported:
            self._read_acknowledgement(reported)

    def _read_acknowledgement(self, reported: str) -> None:
        data = self._rest or self._receive()
        if data.startswith(_TAKEN):
            self._rest = data[len(_TAKEN) :]
            return
        self._rest = data
        status, _, content = self._read()
        _check(reported, status, 202, content)

    def _read(self) -> tuple[int, dict[str, str], bytes]:
        data = self._rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive()
        first, *lines = data[:end].decode("latin-1").split("\r\n")
        headers = dict([line.split(": ", 1) for line in lines])  # the engine's spelling is known
        size = int(headers.get("Content-Length", 0))
        body = data[end + 4 :]
        if len(body) < size:
            parts = [body]
            missing = size - len(body)
            while missing > 0:
                part = self._receive()
                parts.append(part)
                missing -= len(part)
            body = b"".join(parts)
        self._rest = body[size:]
        return int(first.split(" ", 2)[1]), headers, body[:size]

    def _receive(self) -> bytes:
        part = self._socket.recv(1 << 18)
        if not part:
            raise SystemExit(0)
        return part


_ASKED = f"GET {_PREFIX}/invocation/next"
_NEXT = f"{_ASKED} HTTP/1.1\r\nHost: runtime\r\n\r\n".encode()


def _message(request: str, body: bytes, headers: str) -> bytes:
    head = f"{request} HTTP/1.1\r\nHost: runtime\r\n{headers}"
    if request.startswith("POST"):
        head += f"Content-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode("latin-1", "replace") + body


def _check(request: str, status: int, expected: int, content: bytes) -> None:
    if status != expected:
        raise RuntimeError(f"Runtime API answered {status} to {request}: {content[:200]!r}")


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")

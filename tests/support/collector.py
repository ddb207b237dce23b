"""A small OpenTelemetry collector: keeps the spans that it is sent by OTLP over HTTP."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """What was received.

    Attributes:
        url: For ``OTEL_EXPORTER_OTLP_ENDPOINT``.
        spans: By id in hexadecimal digits, spans with the name of their service.
        refuses: How many requests are still to be refused.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.spans: dict[str, dict[str, Any]] = {}
        self.refuses = 0

    def take(self, path: str, body: bytes) -> int:
        """Keep the spans of a request; the HTTP status for it."""
        assert path == "/v1/traces"
        if self.refuses:
            self.refuses -= 1
            return 400
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {one.key: one.value.string_value for one in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    self.spans[span.span_id.hex()] = {
                        "name": span.name,
                        "service": resource["service.name"],
                        "trace": span.trace_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "failed": span.status.code == span.status.STATUS_CODE_ERROR,
                        "message": span.status.message,
                        "seconds": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                        "links": [(one.trace_id.hex(), one.span_id.hex()) for one in span.links],
                        "notes": [one.name for one in span.events],
                        "attributes": {
                            one.key: one.value.string_value or one.value.int_value
                            for one in span.attributes
                        },
                    }
        return 200


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            self.send_response(made.take(self.path, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Nothing: the test says what it saw when it fails."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Collector(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

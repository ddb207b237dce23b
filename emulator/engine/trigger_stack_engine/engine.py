"""The engine: the process that runs functions, beside LocalStack, which is the control plane.

``python -m trigger_stack_engine.engine --control FD --calls FD…``: each descriptor is one end of a
Unix socket pair, and LocalStack has the other. The first is for calls of either side, any number at
a time, the others for one call of LocalStack at a time. The calls that the engine answers are the
methods ``_op_…`` of :class:`Engine`. When LocalStack goes away, so does the engine, and with it
every execution environment.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import gc
import json
import logging
import os
import re
import resource
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from datetime import date
from typing import Any

import psutil
import uvloop

from trigger_stack_engine.clock import Clock
from trigger_stack_engine.environments.debug_requests import DebugRequest
from trigger_stack_engine.environments.execution import Invocation
from trigger_stack_engine.environments.isolation import describe_isolation
from trigger_stack_engine.environments.machine import Machine
from trigger_stack_engine.environments.runtimes import RuntimeUnavailableError
from trigger_stack_engine.environments.spawner import SpawnError
from trigger_stack_engine.front_doors.cloudfront.door import Distributions
from trigger_stack_engine.front_doors.cloudfront.edge import EdgeFunctions
from trigger_stack_engine.front_doors.cloudfront.origins import Origins
from trigger_stack_engine.front_doors.cloudfront.serve import Edge
from trigger_stack_engine.front_doors.cloudfront.store import Store
from trigger_stack_engine.front_doors.core.access_logs import writer
from trigger_stack_engine.front_doors.core.browser_guard import GuardSettings
from trigger_stack_engine.front_doors.core.callers import Callers
from trigger_stack_engine.front_doors.core.function_calls import FunctionInvoker
from trigger_stack_engine.front_doors.core.json_web_tokens import JsonWebTokens
from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.core.server import HttpServer, ListenError
from trigger_stack_engine.front_doors.function_url.door import FunctionUrls
from trigger_stack_engine.front_doors.http_api.door import HttpApis, listen
from trigger_stack_engine.front_doors.http_api.execute import DataPlane
from trigger_stack_engine.front_doors.http_api.http_proxy import HttpProxy
from trigger_stack_engine.front_doors.load_balancer.door import LoadBalancers
from trigger_stack_engine.front_doors.rest_api.door import RestApis
from trigger_stack_engine.front_doors.rest_api.execute import DataPlane as RestDataPlane
from trigger_stack_engine.invoke.asynchronous import AcceptedEvent, AsynchronousInvoker
from trigger_stack_engine.invoke.concurrency import Concurrency, ThrottledError
from trigger_stack_engine.invoke.faults import FaultSettings
from trigger_stack_engine.invoke.function import FunctionSettings, FunctionVersion
from trigger_stack_engine.invoke.invoker import (
    Invoker,
    NoSuchFunctionError,
    NotReadyError,
    RecursiveInvocationError,
)
from trigger_stack_engine.invoke.streamed import ResponseStreams
from trigger_stack_engine.invoke.synchronous import SynchronousInvoker
from trigger_stack_engine.journal.changes import changes
from trigger_stack_engine.journal.export import SpanExport, is_wanted
from trigger_stack_engine.journal.messages import MessageRecorder
from trigger_stack_engine.journal.recorder import Origin, Recorder
from trigger_stack_engine.journal.store import Journal, JournalError
from trigger_stack_engine.json_text import dump_json
from trigger_stack_engine.logs.output import LogEvent
from trigger_stack_engine.logs.sender import LogSender, MetricKey, Stream
from trigger_stack_engine.settings import SettingError, Settings
from trigger_stack_engine.wire import (
    AsyncPeer,
    ConnectionLostError,
    Header,
    Message,
    RemoteError,
)

LOG = logging.getLogger(__name__)
_FLUSH_TIMEOUT_S = 5
#: LocalStack's names for its log levels.
_LEVELS = {"trace": 10, "debug": 10, "info": 20, "error": 40}
_MOST_DESCRIPTORS = 65_536
_NOTHING = b""
#: What the address of a function URL or of an API begins with; see the ``locate`` of each.
_NAMING_PATHS = ("/_", "/restapis/")
_NAMING_HOST = re.compile(r"[a-z0-9-]+\.(?:execute-api|lambda-url)\.", re.IGNORECASE)


class Engine:
    """Answers the control plane's calls."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ended = asyncio.get_running_loop().create_future()
        self.logs = LogSender(self._store_logs, self._count, settings.log_linger_ms)
        self.machine = Machine(settings, self.logs)
        self.invoker = Invoker(
            self.machine, Concurrency(settings.concurrency_limit), settings.keep_alive_s
        )
        self.journal = Journal(
            settings.journal_file,
            f"{os.getppid()}-{psutil.Process(os.getppid()).create_time()}",
            settings.journal_max_age_s,
            settings.journal_max_bytes,
        )
        self.recorder = Recorder(self.journal)
        self.messages = MessageRecorder(self.journal)
        self.synchronous = SynchronousInvoker(
            self.invoker, self.recorder if settings.journal_synchronous else None
        )
        self.streams = ResponseStreams()
        guard = GuardSettings.from_environment()
        self.clock = Clock()
        invoker = FunctionInvoker(self.synchronous)
        tokens = JsonWebTokens.from_environment(self.clock.now)
        self.tokens = tokens
        callers = Callers(self._find_key)
        write_log = writer(self.logs)
        self.http_apis = HttpApis(
            DataPlane(invoker, HttpProxy(), tokens, callers, write_log), guard
        )
        self.rest_apis = RestApis(
            RestDataPlane(
                *(invoker, callers, tokens, self._rest_integration, write_log, self.clock.now)
            ),
            guard,
        )
        self.function_urls = FunctionUrls(self.synchronous, callers, guard)
        self.load_balancers = LoadBalancers(self.synchronous, guard)
        cache = Store(settings.cloudfront_cache_bytes)
        origins = Origins(
            self._answer_api,
            self.function_urls.answer,
            self.load_balancers.answer_named,
            self._bucket,
        )
        edge = Edge(EdgeFunctions(self.synchronous), origins, cache, self.clock)
        self.distributions = Distributions(edge, cache, guard)
        self.asynchronous = AsynchronousInvoker(
            self.invoker, self.journal, self._send, settings.retry_base_delay_s
        )
        self._servers: list[HttpServer] = []
        self._peer: AsyncPeer | None = None
        self._closing = False
        self._background: list[asyncio.Task[None]] = []

    async def serve(self, control: socket.socket, calls: Sequence[socket.socket]) -> None:
        """Serve until the control plane ends the first connection."""
        loop = asyncio.get_running_loop()
        for sock in calls:
            await loop.create_connection(lambda: AsyncPeer(self._handle, lambda: None), sock=sock)
        _, self._peer = await loop.create_connection(
            lambda: AsyncPeer(self._handle, self._lost), sock=control
        )
        self._background = [
            asyncio.create_task(self.machine.watch_memory()),
            asyncio.create_task(self.invoker.sweep()),
        ]
        if is_wanted():
            self._background.append(asyncio.create_task(SpanExport(self.journal).run()))
        await self.ended

    def _lost(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def close(self) -> None:
        """End every environment, at once."""
        self.load_balancers.close()
        self.distributions.close()
        for server in self._servers:
            server.close()
        for task in self._background:
            task.cancel()
        self.machine.close()
        self.journal.close()

    # -- calls to the control plane -----------------------------------------------------------

    async def _store_logs(self, stream: Stream, events: list[LogEvent]) -> None:
        assert self._peer is not None
        head = {
            "op": "logs",
            "account": stream.account,
            "region": stream.region,
            "group": stream.group,
            "stream": stream.name,
        }
        body = dump_json([tuple(event) for event in events])  # orjson takes no named tuple
        await self._peer.call(head, body)

    async def _count(self, metrics: Counter[MetricKey]) -> None:
        assert self._peer is not None
        await self._peer.call(
            {"op": "metrics", "counts": [[*key, n] for key, n in metrics.items()]}
        )

    async def _send(self, header: Header, body: bytes) -> None:
        """Send to a queue, topic, bus, function or bucket, whose services LocalStack has."""
        assert self._peer is not None
        await self._peer.call({"op": "send", **header}, body)

    async def _find_key(self, access_key: str) -> dict[str, str] | None:
        """The secret key of an access key, and whose it is."""
        assert self._peer is not None
        reply, _ = await self._peer.call({"op": "access_key", "access_key": access_key})
        key: dict[str, str] | None = reply["key"]
        return key

    async def _rest_integration(
        self, description: dict[str, Any], request: HttpRequest
    ) -> HttpResponse:
        """Have LocalStack answer for a REST API's integration that has mapping templates."""
        assert self._peer is not None
        head, body = _as_header(request)
        reply, content = await self._peer.call(
            {"op": "rest_integration", **description, "request": head}, body
        )
        return HttpResponse(reply["status"], [(k, v) for k, v in reply["headers"]], content)

    async def _bucket(self, asked: dict[str, Any], request: HttpRequest) -> HttpResponse:
        """Have LocalStack's S3 answer a request of a distribution.

        Raises:
            OSError: It could not.
        """
        assert self._peer is not None
        head, body = _as_header(request)
        try:
            reply, content = await self._peer.call({"op": "bucket", **asked, "request": head}, body)
        except (RemoteError, ConnectionLostError) as error:
            raise OSError(f"S3 did not answer: {error}") from None
        return HttpResponse(reply["status"], [(k, v) for k, v in reply["headers"]], content)

    # -- calls from the control plane ---------------------------------------------------------

    async def _handle(self, header: Header, body: bytes) -> Message:
        try:
            return await getattr(self, f"_op_{header['op']}")(header, body)  # type: ignore[no-any-return]  # see there
        except ThrottledError as error:
            raise RemoteError("TooManyRequests", "Rate Exceeded.", reason=str(error)) from None
        except NoSuchFunctionError as error:
            raise RemoteError("NoSuchFunction", str(error)) from None
        except RecursiveInvocationError as error:
            raise RemoteError("RecursiveInvocation", str(error)) from None
        except NotReadyError as error:
            raise RemoteError("NotReady", str(error)) from None
        except RuntimeUnavailableError as error:
            raise RemoteError("RuntimeUnavailable", str(error)) from None
        except JournalError as error:
            raise RemoteError("Journal", str(error)) from None

    async def _op_invoke(self, header: Header, body: bytes) -> Message:
        """Have one event handled.

        Takes ``{version, arn, request_id, invoked_arn, trace_id, client_context, kind, source,
        recorded, streamed}`` and the payload; returns ``{is_error, logs, version}`` and the result,
        or what ``ResponseStreams.begin`` does.
        """
        pool = self.invoker.pool_of(header["version"], header["arn"])
        invocation = Invocation(
            request_id=header["request_id"],
            payload=body,
            invoked_arn=header["invoked_arn"],
            trace_id=header.get("trace_id"),
            client_context=header.get("client_context"),
            recorded=header["recorded"].encode() if "recorded" in header else None,
        )
        origin = Origin(header.get("kind", "invocation"), header.get("source", "Invoke"))
        call = self.synchronous.invoke(pool, invocation, origin)
        if header.get("streamed"):
            return await self.streams.begin(invocation, pool.version.qualifier, call)
        result = await call
        reply = {"is_error": result.is_error, "logs": result.logs, "version": result.version}
        return reply, result.payload

    async def _op_stream(self, header: Header, _: bytes) -> Message:
        """Read on in a response: ``{stream: request id}``, see ``ResponseStreams.read``."""
        return await self.streams.read(header["stream"])

    async def _op_drop_stream(self, header: Header, _: bytes) -> Message:
        """Nobody reads a response any longer: ``{stream: request id}``."""
        self.streams.drop(header["stream"])
        return {}, _NOTHING

    async def _op_accept(self, header: Header, body: bytes) -> Message:
        """Accept an asynchronous invocation; the reply comes when it is in the journal.

        Takes ``{arn, qualifier, invoked_arn, request_id, trace_id, client_context, source}`` and
        the payload.
        """
        event = AcceptedEvent(
            request_id=header["request_id"],
            arn=header["arn"],
            qualifier=header["qualifier"],
            invoked_arn=header["invoked_arn"],
            trace_id=header["trace_id"],
            client_context=header["client_context"],
            accepted_at=time.time(),
            payload=body,
        )
        await self.asynchronous.accept(event, header["source"])
        return {}, _NOTHING

    async def _op_record(self, header: Header, body: bytes) -> Message:
        """Record an event that another service delivers; the reply comes when it is in the journal.

        Takes ``{id, kind, source, function, state, place, attempts, trace_id, due_at, steps}`` and
        the payload.
        """
        await self.recorder.elsewhere(header, body)
        return {}, _NOTHING

    async def _op_messages(self, _: Header, body: bytes) -> Message:
        """Record what happened to messages of queues: JSON, see ``MessageRecorder.apply``.

        The reply comes when it is in the journal.
        """
        await self.messages.apply(json.loads(body))
        return {}, _NOTHING

    async def _op_resume(self, _: Header, __: bytes) -> Message:
        """Every function is known now: go on with the events of the journal."""
        await self.asynchronous.resume()
        return {}, _NOTHING

    async def _op_journal(self, header: Header, _: bytes) -> Message:
        """Read the journal: ``{sql, values, most}``; returns the rows as JSON."""
        rows = await self.journal.query(header["sql"], *header["values"], most=header["most"])
        return {}, json.dumps(rows, default=_as_text).encode()

    async def _op_changes(self, header: Header, _: bytes) -> Message:
        """Wait for changes of the journal: ``{cursor, wait_s}``, see ``changes``.

        Returns ``{cursor}``, and the rows as JSON.
        """
        rows, cursor = await changes(self.journal, header["cursor"], header["wait_s"])
        return {"cursor": cursor}, json.dumps(rows).encode()

    async def _op_prepare(self, header: Header, _: bytes) -> Message:
        """A version is to become active: ``{version: FunctionVersion}``."""
        await self.invoker.prepare(FunctionVersion.from_json(header["version"]))
        return {}, _NOTHING

    async def _op_retire(self, header: Header, _: bytes) -> Message:
        """A version is no longer used: ``{version: id}``."""
        await self.invoker.retire(header["version"])
        return {}, _NOTHING

    async def _op_settings(self, header: Header, _: bytes) -> Message:
        """Set the settings of all versions of a function: ``{settings: FunctionSettings}``."""
        self.invoker.set_settings(FunctionSettings.from_json(header["settings"]))
        return {}, _NOTHING

    async def _op_forget(self, header: Header, _: bytes) -> Message:
        """A function has been deleted: ``{arn}``."""
        self.invoker.forget_function(header["arn"])
        return {}, _NOTHING

    async def _op_provision(self, header: Header, _: bytes) -> Message:
        """Provisioned concurrency: ``{version: id, wanted}``; returns ``{ready, error}``."""
        ready, error = await self.invoker.provision(header["version"], header["wanted"])
        return {"ready": ready, "error": error}, _NOTHING

    async def _op_listen(self, header: Header, _: bytes) -> Message:
        """Serve HTTP APIs on a port of their own: ``{document: {host, port, api_id}}``."""
        wanted = header["document"]
        self.http_apis.local_api_id = wanted["api_id"]
        if self._servers:
            return {}, _NOTHING
        try:
            server = await listen(self._answer, wanted["host"], wanted["port"])
        except ListenError as error:
            raise RemoteError("PortUnavailable", str(error)) from None
        self._servers.append(server)
        return {}, _NOTHING

    def _answer(self, request: HttpRequest) -> Awaitable[HttpResponse]:
        """Answer a request to the extra port: one that names what it is for, or the local API's."""
        if not (
            request.raw_path.startswith(_NAMING_PATHS)
            or _NAMING_HOST.match(request.header("host") or "")
            or self.distributions.are_there
        ):
            return self.http_apis.answer_local(request)
        return self._answer_named(request)

    async def _answer_named(self, request: HttpRequest) -> HttpResponse:
        return (
            await self.function_urls.answer(request)
            or await self.rest_apis.answer(request)
            or await self.http_apis.answer_named(request)
            or await self.distributions.answer_named(request)
            or await self.http_apis.answer_local(request)
        )

    async def _answer_api(self, request: HttpRequest) -> HttpResponse | None:
        """Answer a request that names a REST API or an HTTP API."""
        return await self.rest_apis.answer(request) or await self.http_apis.answer_named(request)

    async def _op_function_urls(self, header: Header, _: bytes) -> Message:
        """The function URLs that there are: ``{document: [see FunctionUrl.from_document]}``."""
        self.function_urls.replace(header["document"])
        return {}, _NOTHING

    async def _op_function_url(self, header: Header, body: bytes) -> Message:
        """Answer a request for a function URL that came in on LocalStack's port.

        Takes ``{request}`` and the request's body; returns ``{status, headers}`` and the
        response's body, or status 404 when it is for no function URL.
        """
        request = _as_request(header, body)
        response = await self.function_urls.answer(request) or HttpResponse(404)
        if response.stream is not None:
            response.body += b"".join([part async for part in response.stream])
        return {"status": response.status, "headers": response.headers}, response.body

    async def _op_rest_apis(self, header: Header, _: bytes) -> Message:
        """The REST APIs that there are: ``{document: see RestApis.replace}``."""
        self.rest_apis.replace(header["document"])
        return {}, _NOTHING

    async def _op_usage(self, header: Header, _: bytes) -> Message:
        """What the keys of a usage plan have used: ``{plan, first, last}``, days as YYYY-MM-DD.

        Returns ``{usage}``; see ``UsagePlans.usage``. With ``{plan, key, remaining}`` it lets a key
        request that many more times and returns ``{day}``, null without such a key; see
        ``UsagePlans.leave``.
        """
        if "remaining" in header:
            today = self.rest_apis.leave(header["plan"], header["key"], header["remaining"])
            return {"day": None if today is None else f"{today}"}, _NOTHING
        first, last = (date.fromisoformat(header[name]) for name in ("first", "last"))
        return {"usage": self.rest_apis.usage(header["plan"], first, last)}, _NOTHING

    async def _op_rest_api(self, header: Header, body: bytes) -> Message:
        """Answer a request for a REST API that came in on LocalStack's port.

        Takes ``{request}`` and the request's body; returns ``{status, headers}`` and the
        response's body, or status 404 when it is for no REST API. With ``{document}`` it tries an
        authorizer and returns ``{decision}``; see ``TriedCall.from_document``.
        """
        if "document" in header:
            return {"decision": await self.rest_apis.try_authorizer(header["document"])}, _NOTHING
        response = await self.rest_apis.answer(_as_request(header, body)) or HttpResponse(404)
        return {"status": response.status, "headers": response.headers}, response.body

    async def _op_http_apis(self, header: Header, _: bytes) -> Message:
        """The HTTP APIs that there are, the oldest first: ``{document: [Api.document()]}``."""
        self.http_apis.replace(header["document"])
        return {}, _NOTHING

    async def _op_http_api(self, header: Header, body: bytes) -> Message:
        """Answer an HTTP request that came in on LocalStack's port.

        Takes ``{api_id, request}`` and the request's body; returns ``{status, headers}`` and the
        response's body.
        """
        request = _as_request(header, body)
        response = await self.http_apis.answer(header["api_id"], request)
        return {"status": response.status, "headers": response.headers}, response.body

    async def _op_user_pools(self, header: Header, _: bytes) -> Message:
        """The user pools that there are: ``{document: {issuer: JSON Web Key Set}}``."""
        self.tokens.replace_pools(header["document"])
        return {}, _NOTHING

    async def _op_load_balancers(self, header: Header, _: bytes) -> Message:
        """The load balancers that there are: ``{document}``, see ``LoadBalancers.replace``."""
        await self.load_balancers.replace(header["document"])
        return {}, _NOTHING

    async def _op_load_balancer_port(self, header: Header, _: bytes) -> Message:
        """Take a port for a listener: ``{listener, host, ports}``; returns ``{port}``."""
        try:
            port = await self.load_balancers.open(
                header["listener"], header["host"], header["ports"]
            )
        except ListenError as error:
            raise RemoteError("PortUnavailable", str(error)) from None
        return {"port": port}, _NOTHING

    async def _op_distributions(self, header: Header, _: bytes) -> Message:
        """The distributions that there are: ``{document}``, see ``Distributions.replace``."""
        await self.distributions.replace(header["document"])
        return {}, _NOTHING

    async def _op_distribution_port(self, header: Header, _: bytes) -> Message:
        """Take a port for a distribution: ``{distribution, host, ports}``; returns ``{port}``."""
        try:
            port = await self.distributions.open(
                header["distribution"], header["host"], header["ports"]
            )
        except ListenError as error:
            raise RemoteError("PortUnavailable", str(error)) from None
        return {"port": port}, _NOTHING

    async def _op_invalidate(self, header: Header, _: bytes) -> Message:
        """Drop objects from the cache: ``{distribution, paths}``; returns ``{dropped}``."""
        dropped = self.distributions.invalidate(header["distribution"], header["paths"])
        return {"dropped": dropped}, _NOTHING

    async def _op_clock(self, header: Header, _: bytes) -> Message:
        """How far the clock of the stack is ahead: ``{document: seconds}``."""
        self.clock.offset_s = float(header["document"])
        return {}, _NOTHING

    async def _op_target_health(self, header: Header, _: bytes) -> Message:
        """The health of targets: ``{target_group, targets}``; returns ``{health}``."""
        verdicts = self.load_balancers.target_health(header["target_group"], header["targets"])
        return {"health": [dataclasses.asdict(verdict) for verdict in verdicts]}, _NOTHING

    async def _op_hot_reload(self, header: Header, _: bytes) -> Message:
        """Run functions from a working tree: ``{document: folder or null}``."""
        self.machine.hot_reload.set_root(header["document"])
        return {}, _NOTHING

    async def _op_faults(self, header: Header, _: bytes) -> Message:
        """Let faults happen from now on: ``{document: FaultSettings}``."""
        self.invoker.faults.settings = FaultSettings.from_json(header["document"])
        return {}, _NOTHING

    async def _op_debug(self, header: Header, _: bytes) -> Message:
        """Debug the next environment: ``{function, port, wait}``."""
        request = DebugRequest(header["port"], header["wait"])
        self.machine.debugging.put(header["function"], request)
        return {}, _NOTHING

    async def _op_describe(self, _: Header, __: bytes) -> Message:
        """The runtimes that this machine can run, in one line."""
        facts = await asyncio.to_thread(self.machine.runtimes.plain.isolation)
        names = ", ".join(self.machine.runtimes.python_names()) or "none for Python"
        text = (
            f"runtimes {names}; up to {self.machine.capacity.limit} environments;"
            f" isolation: {describe_isolation(facts)}"
        )
        return {"text": text}, _NOTHING

    async def _op_health(self, _: Header, __: bytes) -> Message:
        """Why functions cannot start: ``{problem: text or null}``."""
        return {"problem": self.machine.start_problem}, _NOTHING

    async def _op_shutdown(self, _: Header, __: bytes) -> Message:
        """End every environment and store the logs that are still queued."""
        if not self._closing:
            self._closing = True
            self.load_balancers.close()
            self.distributions.close()
            for server in self._servers:
                server.close()
            await asyncio.to_thread(self.machine.runtimes.close)
            try:
                await asyncio.wait_for(self.logs.flush(), _FLUSH_TIMEOUT_S)
            except TimeoutError:
                LOG.warning("logs were not stored within %d s", _FLUSH_TIMEOUT_S)
        return {}, _NOTHING


def _as_request(header: Header, body: bytes) -> HttpRequest:
    fields = header["request"]
    headers = [(name, value) for name, value in fields.pop("headers")]
    return HttpRequest(**fields, headers=headers, body=body)


def _as_header(request: HttpRequest) -> tuple[dict[str, Any], bytes]:
    fields = dataclasses.asdict(request)
    return fields, fields.pop("body")


def _as_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


async def run(control: socket.socket, calls: Sequence[socket.socket], settings: Settings) -> None:
    """Serve until the end."""
    engine = Engine(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: None)  # LocalStack says when to end
    try:
        await engine.serve(control, calls)
    finally:
        engine.close()


def _allow_descriptors() -> None:
    """Take as many descriptors as the system lets: a shell's 1024 are used up by as many clients.

    Functions have a limit of their own.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a lower limit that it hides
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    """Run the engine; ends with code 2 and a sentence when a setting cannot be used."""
    parser = argparse.ArgumentParser(description="Runs Lambda functions for LocalStack.")
    parser.add_argument("--control", type=int, required=True, help="descriptor of a socket")
    parser.add_argument("--calls", type=int, nargs="*", default=[], help="of further ones")
    options = parser.parse_args()
    logging.basicConfig(
        level=_LEVELS.get(os.environ.get("LS_LOG", "").lower(), logging.WARNING),
        format="%(asctime)s %(levelname)s engine: %(message)s",
    )
    try:
        settings = Settings.from_environment(os.environ.get("TMPDIR", "/tmp") + "/lambda-process")  # noqa: S108  the default of mktemp
    except SettingError as error:
        sys.exit(f"{error}")
    control, *calls = [socket.socket(fileno=one) for one in (options.control, *options.calls)]
    for one in (control, *calls):
        one.setblocking(False)
    _allow_descriptors()
    gc.collect()
    gc.freeze()  # what is made at start-up is never garbage
    try:
        uvloop.run(run(control, calls, settings))
    except SpawnError as error:
        sys.exit(f"engine: {error}")
    finally:
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

"""Keeps the engine up to date, and answers its calls.

LocalStack's Lambda service is the control plane. Each change of a function is pushed to the engine
and acknowledged before the API call that made it returns; a restarted engine gets everything
again.

What: a handler in ``run_custom_response_handlers``, LocalStack's own list.
Why: the engine is another process; LocalStack has no hook for changes of functions.
Until: as long as the engine executes functions.
Test: ``tests/engine/test_crash.py``: a new engine knows everything.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import threading
from collections.abc import Callable
from typing import Any

from localstack.services.lambda_.api_utils import function_locators_from_arn

from trigger_stack.engine.supervisor import Call, Reply, Supervisor
from trigger_stack.localstack import access_keys
from trigger_stack.localstack.lambda_engine.destinations import send
from trigger_stack.localstack.lambda_engine.stores import LogStore, add_metrics
from trigger_stack.localstack.lambda_engine.versions import describe_function, find_function
from trigger_stack_engine.front_doors.core.limits import MOST_INTEGRATIONS
from trigger_stack_engine.invoke.function import FunctionSettings, FunctionVersion
from trigger_stack_engine.wire import ConnectionLostError, Header, Message, RemoteError

LOG = logging.getLogger(__name__)
#: Calls of the engine that may take long, and how many are answered at a time.
_SIDE_BY_SIDE = {"send": 8, "bucket": 8, "rest_integration": MOST_INTEGRATIONS}
_READS = ("Get", "List", "Invoke")


class ControlPlane:
    """The engine as the control plane sees it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[str, FunctionVersion] = {}
        self._settings: dict[str, FunctionSettings] = {}
        self._documents: dict[str, Header] = {}
        self._pushing = threading.Lock()  # from reading a state until the engine has it
        self._logs = LogStore()
        self.supervisor = Supervisor(
            self._handle,
            self._push_everything,
            side_by_side=_SIDE_BY_SIDE,
        )

    # -- functions ----------------------------------------------------------------------------

    def prepare(self, version: FunctionVersion) -> None:
        """A version is to become active.

        Raises:
            RuntimeError: The engine cannot run it; the text says why.
        """
        self.push_function(version.account, version.region, version.name)
        with self._lock:
            self._versions[version.id] = version
        try:
            self.call(_prepare(version))
        except RemoteError as error:
            with self._lock:
                self._versions.pop(version.id, None)
            raise RuntimeError(str(error)) from None

    def retire(self, version_id: str) -> None:
        """A version is no longer used."""
        with self._lock:
            self._versions.pop(version_id, None)
        self.call({"op": "retire", "version": version_id})

    def provision(self, version_id: str, wanted: int) -> tuple[int, str]:
        """Replace a version's provisioned environments; how many are ready, and an error."""
        reply, _ = self.call({"op": "provision", "version": version_id, "wanted": wanted})
        return reply["ready"], reply["error"]

    def push_function(self, account: str, region: str, name: str) -> None:
        """Tell the engine what holds for all versions of a function, unless it knows."""
        arn = f"arn:aws:lambda:{region}:{account}:function:{name}"
        with self._pushing:
            function = find_function(account, region, name)
            settings = describe_function(arn, function) if function is not None else None
            with self._lock:
                if self._settings.get(arn) == settings:
                    return
                if settings is None:
                    del self._settings[arn]
                else:
                    self._settings[arn] = settings
            self.call({"op": "forget", "arn": arn} if settings is None else _settings(settings))

    def push(self, op: str, describe: Callable[[], Any]) -> None:
        """Push a document to this engine and to every later one, as operation ``op``.

        Args:
            op: The operation.
            describe: Returns the document. It is called when earlier pushes have ended, so that an
                older state never replaces a newer one.
        """
        self.supervisor.start()
        with self._pushing:
            header = {"op": op, "document": describe()}
            with self._lock:
                self._documents[op] = header
            self.call(header)

    def call(self, header: Header, body: bytes = b"") -> Message:
        """Ask the engine; see :meth:`Supervisor.call`."""
        self.supervisor.start()
        return self.supervisor.call(header, body)

    def begin(self, header: Header, body: bytes = b"") -> Reply:
        """Ask the engine, and wait for its reply later; see :meth:`Supervisor.begin`."""
        self.supervisor.start()
        return self.supervisor.begin(header, body)

    def _push_everything(self, call: Call) -> None:
        with self._lock:
            settings = list(self._settings.values())
            versions = list(self._versions.values())
            documents = list(self._documents.values())
        for document in documents:
            call(document, b"")
        for one in settings:
            call(_settings(one), b"")
        for version in versions:
            try:
                call(_prepare(version), b"")
            except RemoteError as error:
                LOG.warning("%s cannot be run any longer: %s", version.qualified_arn, error)
        call({"op": "resume"}, b"")

    # -- what the engine tells ----------------------------------------------------------------

    def _handle(self, header: Header, body: bytes) -> Message:
        match header["op"]:
            case "logs":
                self._logs.put(header, json.loads(body))
            case "metrics":
                add_metrics(header["counts"])
            case "send":
                send(header, body)
            case "rest_integration":
                # Imported here: only an API with such an integration needs it.
                from trigger_stack.localstack.apigateway import integration

                return integration.answer(header, body)
            case "bucket":
                # Imported here: only a distribution needs it.
                from trigger_stack.localstack.cloudfront import bucket

                return bucket.answer(header, body)
            case "access_key":
                return {"key": access_keys.find(header["access_key"])}, b""
            case other:
                raise RemoteError("UnknownOperation", f"{other}")
        return {}, b""


def _prepare(version: FunctionVersion) -> Header:
    return {"op": "prepare", "version": dataclasses.asdict(version)}


def _settings(settings: FunctionSettings) -> Header:
    return {"op": "settings", "settings": dataclasses.asdict(settings)}


@functools.cache
def control_plane() -> ControlPlane:
    """The emulator's one control plane."""
    return ControlPlane()


def push_changed_function(chain: Any, context: Any, response: Any) -> None:
    """Response handler: what an operation changed reaches the engine before its caller."""
    del chain, response
    if context.service is None or context.service.service_name != "lambda":
        return
    if context.operation is None or context.operation.name.startswith(_READS):
        return
    name = (context.service_request or {}).get("FunctionName")
    if not name or not isinstance(name, str):
        return
    function, _, account, region = function_locators_from_arn(name)
    try:
        control_plane().push_function(
            account or context.account_id, region or context.region, function or name
        )
    except (ConnectionLostError, RemoteError, OSError) as error:
        LOG.warning("the engine could not be told of a change of %s: %s", name, error)

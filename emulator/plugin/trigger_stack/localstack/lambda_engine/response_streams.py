"""``InvokeWithResponseStream``: the response comes while the function writes it.

What: ``operations.py`` puts it into the dispatch table of LocalStack's Lambda service.
Why: LocalStack's open release answers 501 for it.
Until: LocalStack has it, with a response that comes in parts.
Test: ``tests/engine/test_response_streams.py``; ``tests/unit/plugin/test_lambda_requests_patch.py``
fails when LocalStack has it.

AWS topics: AWS Lambda API Reference, "InvokeWithResponseStream",
"InvokeWithResponseStreamResponseEvent" and "InvokeWithResponseStreamCompleteEvent"; Developer
Guide, "Response streaming for Lambda functions"; Smithy, "Amazon Event Stream Specification".
"""

from __future__ import annotations

import base64
import json
import struct
from binascii import crc32
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from localstack.aws.api.lambda_ import InvocationType, LogType
from localstack.http import Response
from localstack.services.lambda_.api_utils import get_account_and_region, get_name_and_qualifier
from localstack.services.lambda_.provider import LambdaProvider

from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.lambda_engine.versions import StreamedResult, streamed
from trigger_stack_engine.wire import RemoteError

_STRING: Final = 7
_LOG_BYTES: Final = 4096


def invoke(provider: LambdaProvider, context: Any, request: Mapping[str, Any]) -> Response:
    """The operation; the events of its response are made while the client reads."""
    account, region = get_account_and_region(request["FunctionName"], context)
    name, qualifier = get_name_and_qualifier(
        request["FunctionName"], request.get("Qualifier"), context
    )
    payload = request.get("Payload")
    with streamed():
        result: Any = provider.lambda_service.invoke(
            function_name=name,
            qualifier=qualifier,
            region=region,
            account_id=account,
            invocation_type=InvocationType(request.get("InvocationType") or "RequestResponse"),
            client_context=request.get("ClientContext"),
            request_id=context.request_id,
            trace_context=context.trace_context,
            payload=payload.read() if payload else None,
            user_agent=context.request.user_agent.string,
        )
    headers = {"x-amzn-requestid": context.request_id}
    if result is None:  # DryRun
        return Response(status=204, headers=headers)
    headers |= {
        "content-type": "application/vnd.amazon.eventstream",
        "x-amz-executed-version": result.executed_version,
    }
    return Response(
        _events(result, with_logs=request.get("LogType") == LogType.Tail), headers=headers
    )


def _events(result: StreamedResult, *, with_logs: bool) -> Iterator[bytes]:
    """``PayloadChunk`` for each part, then ``InvokeComplete``."""
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    stream, part = result.stream, result.payload or b""
    end: Mapping[str, Any] = {"is_error": result.is_error, "logs": result.logs}
    try:
        while stream is not None:
            yield _message("PayloadChunk", part)
            end, part = control_plane().call({"op": "stream", "stream": stream})
            stream = end["stream"]
    finally:
        if stream is not None:
            with suppress(EngineUnavailableError, RemoteError):  # then it is dropped already
                control_plane().call({"op": "drop_stream", "stream": stream})
    if part and not end["is_error"]:
        yield _message("PayloadChunk", part)
    yield _message("InvokeComplete", _completion(end, part, with_logs=with_logs))


def _completion(end: Mapping[str, Any], part: bytes, *, with_logs: bool) -> bytes:
    document: dict[str, str] = {}
    if end["is_error"]:
        document |= {"ErrorCode": "Unhandled", "ErrorDetails": part.decode(errors="replace")}
    if with_logs:
        logs = end["logs"].encode()[-_LOG_BYTES:]
        document["LogResult"] = base64.b64encode(logs).decode()
    return json.dumps(document).encode()


def _message(kind: str, payload: bytes) -> bytes:
    """One event of an event stream."""
    is_chunk = kind == "PayloadChunk"
    fields = {
        ":event-type": kind,
        ":content-type": "application/octet-stream" if is_chunk else "application/json",
        ":message-type": "event",
    }
    headers = b"".join(
        struct.pack(f">B{len(name)}sBH", len(name), name.encode(), _STRING, len(value))
        + value.encode()
        for name, value in fields.items()
    )
    length = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = length + struct.pack(">I", crc32(length)) + headers + payload
    return message + struct.pack(">I", crc32(message))

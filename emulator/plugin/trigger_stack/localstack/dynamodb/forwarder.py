"""Requests to DynamoDB Local, over connections that stay.

What: a subclass of LocalStack's ``AwsRequestProxy``, by which its providers of DynamoDB and
DynamoDB Streams forward a request; a write wakes the mappings that read a stream of its table, and
its answer is sent on as it came.
Why: LocalStack makes each request anew twice and sends it by ``requests``, which took longer than
LocalStack's whole work beside it; it parses the answer to a write twice and makes it anew. It asks
a stream once a second, and less often when it was empty.
Until: LocalStack forwards a request as it is, and its pollers wait for records.
Test: ``tests/unit/plugin/test_dynamodb_requests.py``.
"""

from __future__ import annotations

from typing import Any

from localstack.aws.client import parse_response, raise_service_exception
from localstack.aws.forwarder import AwsRequestProxy
from localstack.http import Response

from trigger_stack.localstack.streams import wakeups
from trigger_stack.services.dynamodb_local.client import Client

#: What DynamoDB Local looks at.
_HEADERS = ("Authorization", "Content-Type", "X-Amz-Target", "X-Amz-Date")
#: Operations whose provider returns the answer as it came.
_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
_RETURNED = ("content-type", "x-amz-crc32")
#: Else a handler of LocalStack parses the answer, for handlers that do not look at it.
_UNREAD: dict[str, Any] = {"unread": True}


def _is_for_the_caller(context: Any) -> bool:
    """Whether nobody but the caller reads the answer, and in the form in which it comes."""
    accepted = context.request.headers.get("Accept", "")
    is_json = context.protocol == "json" and "cbor" not in accepted
    return is_json and context.operation.name in _WRITES


class Forwarder(AwsRequestProxy):
    """Forwards requests to DynamoDB Local.

    Args:
        host: Address of DynamoDB Local.
        port: Its port.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"http://{host}:{port}")
        self._client = Client(host, port)

    def forward(self, context: Any, service_request: Any = None) -> Any:
        """Forward a request; what it asks for instead, when it was changed.

        Raises:
            ServiceException: The answer is an error.
            OSError: There is no answer.
        """
        if service_request is not None:
            context = self.new_request_context(context, service_request)
        sent = context.request.headers
        headers = {name: sent[name] for name in _HEADERS if name in sent}
        answer = self._client.send(context.request.data, headers)
        if answer.status == 200:
            wakeups.after(context)
            if service_request is None and _is_for_the_caller(context):
                context.service_response = _UNREAD
                sent_back = {
                    name: answer.headers[name] for name in _RETURNED if name in answer.headers
                }
                sent_back["x-amzn-requestid"] = context.request_id
                return Response(answer.body, answer.status, sent_back)
        response = Response(answer.body, answer.status, answer.headers)
        parsed = parse_response(context.operation, context.protocol, response, False)
        raise_service_exception(response, parsed)
        return parsed

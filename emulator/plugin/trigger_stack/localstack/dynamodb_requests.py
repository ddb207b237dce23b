"""Requests to DynamoDB Local, over connections that stay.

What: a subclass of LocalStack's ``AwsRequestProxy``, by which its providers of DynamoDB and
DynamoDB Streams forward a request; a write wakes the mappings that read a stream of its table.
Why: LocalStack makes each request anew twice and sends it by ``requests``, which took longer than
LocalStack's whole work beside it. It asks a stream once a second, and less often when it was empty.
Until: LocalStack forwards a request as it is, and its pollers wait for records.
Test: ``tests/unit/plugin/test_dynamodb_requests.py``.
"""

from __future__ import annotations

from typing import Any

import urllib3
from localstack.aws.client import parse_response, raise_service_exception
from localstack.aws.forwarder import AwsRequestProxy
from localstack.http import Response

from trigger_stack.localstack.streams import wakeups

#: What DynamoDB Local looks at.
_HEADERS = ("Authorization", "Content-Type", "X-Amz-Target", "X-Amz-Date")
_CONNECTIONS = 128


class Forwarder(AwsRequestProxy):
    """Forwards requests to DynamoDB Local.

    Args:
        host: Address of DynamoDB Local.
        port: Its port.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"http://{host}:{port}")
        self._pool = urllib3.HTTPConnectionPool(host, port, maxsize=_CONNECTIONS, timeout=None)

    def send(self, body: bytes, headers: dict[str, str], **more: Any) -> urllib3.BaseHTTPResponse:
        """Send one request as it is.

        Args:
            body: JSON.
            headers: Those of AWS's protocol, with credentials that name account and region.
            more: Arguments of ``HTTPConnectionPool.urlopen``.

        Raises:
            urllib3.exceptions.HTTPError: There is no answer.
        """
        return self._pool.urlopen("POST", "/", body, headers, retries=False, **more)

    def forward(self, context: Any, service_request: Any = None) -> Any:
        """Forward a request; what it asks for instead, when it was changed.

        Raises:
            ServiceException: The answer is an error.
        """
        if service_request is not None:
            context = self.new_request_context(context, service_request)
        sent = context.request.headers
        headers = {name: sent[name] for name in _HEADERS if name in sent}
        answer = self.send(context.request.data, headers)
        response = Response(answer.data, answer.status, dict(answer.headers))
        parsed = parse_response(context.operation, context.protocol, response, False)
        raise_service_exception(response, parsed)
        wakeups.after(context)
        return parsed

"""HTTP integrations of REST APIs send and return each header as often as it is there.

What: LocalStack's step that calls an integration, where ``HTTP`` and ``HTTP_PROXY`` are sent here.
Why: LocalStack joins repeated headers of the request and of the response with commas, which makes
two ``Set-Cookie`` one; sends an ``Accept-Encoding`` of its own, follows redirects, and waits
without an end.
Until: LocalStack keeps repeated headers and returns redirects.
Test: ``tests/engine/test_rest_api_templates.py``, ``tests/unit/plugin/test_mapping_templates.py``.
AWS topic: API Gateway Developer Guide, "HTTP integrations for REST APIs in API Gateway".
"""

from __future__ import annotations

import logging
from http import HTTPMethod
from typing import Any, Final

import requests
from localstack.services.apigateway.next_gen.execute_api.context import EndpointResponse
from localstack.services.apigateway.next_gen.execute_api.gateway_response import (
    ApiConfigurationError,
    IntegrationFailureError,
    IntegrationTimeoutError,
    InternalServerError,
)
from localstack.services.apigateway.next_gen.execute_api.handlers import IntegrationHandler
from werkzeug.datastructures import Headers

from trigger_stack.localstack.apigateway import aws_integrations
from trigger_stack_engine.front_doors.core.sent_headers import received_headers, sent_headers

LOG = logging.getLogger(__name__)

_KINDS: Final = ("HTTP", "HTTP_PROXY")
_WITHOUT_BODY: Final = (HTTPMethod.OPTIONS, HTTPMethod.GET, HTTPMethod.HEAD)
#: The engine has the exact time; this only ends a call that nobody waits for.
_MORE_S: Final = 1.0


class Integrations(IntegrationHandler):
    """Calls the integration of a method."""

    def __call__(self, chain: Any, context: Any, response: Any) -> None:
        """Handler: send the integration's request and keep its answer in the context."""
        kind = context.integration["type"]
        if kind == "AWS":
            aws_integrations.check_before(context)
            super().__call__(chain, context, response)
            aws_integrations.check_after(context)
            return
        if kind not in _KINDS:
            super().__call__(chain, context, response)
            return
        context.endpoint_response = _call(context)
        if kind == "HTTP_PROXY":
            context.invocation_response = context.endpoint_response


def _call(context: Any) -> EndpointResponse:
    """Send a request and bring the answer back.

    Raises:
        BaseGatewayException: What LocalStack raises in the same case.
    """
    asked = context.integration_request
    method, uri = asked["http_method"], asked["uri"]
    timeout = int(context.integration.get("timeoutInMillis") or 29000) / 1000 + _MORE_S
    session = requests.Session()
    try:
        prepared = requests.Request(
            method,
            uri,
            params=asked["query_string_parameters"],
            data=None if method in _WITHOUT_BODY else asked["body"],
        ).prepare()
        prepared.headers = sent_headers(
            ((name, str(value)) for name, value in asked["headers"]), prepared.headers
        )
        url = str(prepared.url)
        settings: Any = session.merge_environment_settings(url, {}, None, None, None)
        # Not send() of the session: it reads Location of a redirect, which is the client's.
        answer = session.get_adapter(url).send(prepared, timeout=timeout, **settings)
        content = answer.content
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    ):
        LOG.warning("REST API: the URI of an HTTP integration is invalid: %s", uri)
        raise InternalServerError("Internal server error") from None
    except requests.exceptions.ReadTimeout:
        raise IntegrationTimeoutError("Endpoint request timed out") from None
    except (requests.exceptions.Timeout, requests.exceptions.SSLError) as error:
        LOG.warning("REST API: %s did not answer: %s", uri, error)
        raise IntegrationFailureError("Network error communicating with endpoint") from None
    except requests.exceptions.RequestException as error:
        LOG.warning("REST API: %s did not answer: %s", uri, error)
        raise ApiConfigurationError("Internal server error") from None
    finally:
        session.close()
    return EndpointResponse(
        body=content,
        status_code=answer.status_code,
        headers=Headers(received_headers(answer.raw.headers.items())),
    )

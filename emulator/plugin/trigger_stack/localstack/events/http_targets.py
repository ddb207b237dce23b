"""An HTTP endpoint that does not take an event, and a bus that refuses one, are failures.

What: ``requests`` in LocalStack's modules of targets and of API destinations, what ``send`` calls
for the targets that are buses and REST APIs, and what adds the ``HttpParameters`` of a target and
of a connection to the request of an API destination.
Why: LocalStack takes no notice of what the endpoint of an API destination or a REST API answers,
nor of ``FailedEntryCount`` of another bus: the event counts as delivered, and is nowhere. It waits
for an endpoint without end, and for that of an authorization, too. It writes the values of a path
behind the path, whose wildcards stay, writes the connection's parameters into the target, where
anyone reads them, and sends a target's header in place of the connection's when it is written in
other letters.
Until: LocalStack looks at the answers, and fills wildcards.
Test: ``tests/delivery/test_http_targets.py``; ``tests/unit/plugin/test_event_requests.py`` fails
when LocalStack does it.

AWS topic: Amazon EventBridge User Guide, "API destinations as targets": five seconds; the answers
401, 407, 409, 429 and 5xx are tried again, others are not; ``Retry-After``. API Reference,
"HttpParameters".
"""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any, Final

import requests
from localstack.services.events import api_destination
from localstack.services.events import target as localstack_targets
from localstack.services.events.target import ApiGatewayTargetSender, EventsTargetSender

from trigger_stack.delivery.rules.delivery import (
    Delivery,
    EndpointAnsweredError,
    EventNotDeliverableError,
)
from trigger_stack.delivery.rules.http_parameters import (
    add_headers,
    add_query,
    fill_path,
    replace_query,
)
from trigger_stack.localstack.apigatewayv2.store import apis

_ANSWER_WITHIN_S: Final = 5.0
_UNABLE: Final = "Unable to invoke ApiDestination endpoint"


def request(**call: Any) -> requests.Response:
    """``requests.request``, with a limit of time, and an error when the answer is one.

    Raises:
        EndpointAnsweredError: The endpoint answered with another status than 2xx.
        requests.RequestException: It did not answer.
    """
    call |= {"allow_redirects": False, "timeout": _ANSWER_WITHIN_S}
    answer = requests.request(**call)  # noqa: S113  it is in the call
    if not 200 <= answer.status_code < 300:
        message = f"{_UNABLE}: {call['url']} answered {answer.status_code} {answer.reason}"
        wait_s = seconds(answer.headers.get("Retry-After"))
        raise EndpointAnsweredError(message, answer.status_code, wait_s)
    return answer


def seconds(retry_after: str | None) -> float:
    """What a ``Retry-After`` header says, in seconds from now; 0 when it says nothing."""
    if not retry_after:
        return 0.0
    if re.fullmatch(r"-?\d{1,9}", retry_after, re.ASCII):
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0


def check_form(delivery: Delivery, ready: Any) -> None:
    """Check that LocalStack would send an event, and not write a line into its log instead.

    Raises:
        EventNotDeliverableError: It would not.
        EndpointAnsweredError: There is no such API.
    """
    sender = delivery.sender
    if isinstance(sender, ApiGatewayTargetSender):
        _check_api(sender.arn, sender.ALLOWED_HTTP_METHODS)
    elif isinstance(sender, EventsTargetSender) and not isinstance(ready, dict):
        raise EventNotDeliverableError("a bus takes events only, and the input is none")


def _check_api(arn: str, methods: set[str]) -> None:
    """Check that a REST API (or HTTP API) is there: LocalStack answers 200 for others."""
    from localstack.services.apigateway.models import apigateway_stores

    _, _, _, region, account, path = arn.split(":", 5)
    api, _, method, *_ = [*path.split("/"), "", "", ""]
    if method.upper() not in methods:
        raise EventNotDeliverableError(f"{arn} names no HTTP method: {method}")
    deployed = apigateway_stores[account][region].internal_deployments
    if api.lower() not in deployed and not apis.find(api):
        raise EndpointAnsweredError(f"there is no API {api} that was deployed", 404)


def put_on_bus(delivery: Delivery, ready: Any) -> None:
    """Put an event on another bus.

    Raises:
        EventNotDeliverableError: The bus refuses it.
        Exception: What the client raises.
    """
    sender = delivery.sender
    put_events = sender.client.put_events
    answers: list[Any] = []

    def put_and_keep(**call: Any) -> Any:
        answers.append(put_events(**call))
        return answers[-1]

    # LocalStack makes the entry, and drops the answer.
    client = SimpleNamespace(put_events=put_and_keep)
    EventsTargetSender.send_event(_With(sender, client), ready, delivery.trace_header)  # type: ignore[arg-type]  # as the sender, with another client
    for entry in answers[-1]["Entries"]:
        if "ErrorCode" in entry:
            why = f"{entry['ErrorCode']}: {entry.get('ErrorMessage')}"
            raise EventNotDeliverableError(f"{sender.arn} refused the event: {why}")


class _With:
    """A sender with another client."""

    def __init__(self, sender: Any, client: Any) -> None:
        self._sender = sender
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sender, name)


def add_parameters(
    parameters: dict[str, Any], endpoint: str, headers: dict[str, str], body: Any
) -> str:
    """Add a target's ``HttpParameters`` to a request, whose headers are changed; its new URL."""
    del body
    add_headers(headers, parameters.get("HeaderParameters") or {})
    filled = fill_path(endpoint, parameters.get("PathParameterValues") or [])
    return add_query(filled, parameters.get("QueryStringParameters") or {})


def install() -> None:
    """Patch LocalStack. Idempotent."""
    targets: Any = localstack_targets
    targets.add_target_http_parameters = add_parameters
    connections: Any = api_destination
    connections.add_query_params_to_url = replace_query
    for module in (localstack_targets, api_destination):
        replaced: Any = module
        replaced.requests = SimpleNamespace(request=request)

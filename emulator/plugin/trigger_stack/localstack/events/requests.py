"""What EventBridge refuses of rules, targets and archives, and LocalStack takes.

What: a handler in ``serve_custom_service_request_handlers``, LocalStack's own list, and
``EventsProvider.put_targets``, which looks at all targets before it adds one.
Why: LocalStack takes any event pattern; one that is no object makes ``PutEvents`` fail for all
rules of the bus, after some of them had the event. It takes targets without the role that they
need, with a dead-letter queue that no event can reach, and with an input that is no JSON. It
answers that a target is refused and keeps it, without what would deliver to it: the events of the
rule vanish.
Until: LocalStack checks before it adds.
Test: ``tests/delivery/test_refused_targets.py``; ``tests/unit/plugin/test_event_requests.py`` fails
when LocalStack does it.

AWS topics: Amazon EventBridge API Reference, "PutRule", "PutTargets", "CreateArchive"; User Guide,
"Amazon EventBridge event patterns".
"""

from __future__ import annotations

import functools
import json
from typing import Any, Final

from localstack.aws.api import CommonServiceException
from localstack.aws.api.events import InvalidEventPatternException, LimitExceededException
from localstack.aws.handlers import serve_custom_service_request_handlers
from localstack.services.events.event_rule_engine import EventPatternCompiler
from localstack.services.events.provider import EventsProvider
from localstack.services.events.target import TargetSenderFactory

from trigger_stack.delivery.core.comparison import with_or_as_name
from trigger_stack.delivery.rules.target_checks import exceeds, why_refused
from trigger_stack.localstack.unsupported_services import refusal
from trigger_stack.services.constraints import violations

_INVALID: Final = "Event pattern is not valid. Reason: "
#: Those whose members are compared with AWS's model; LocalStack words the others itself.
_COMPARED: Final = frozenset(("PutRule", "PutTargets", "CreateArchive", "UpdateArchive"))
_WITH_PATTERN: Final = _COMPARED | {"TestEventPattern"}
#: Services that need a package which may be left out, by their name in ARNs.
_MAY_BE_ABSENT: Final = {"firehose": "firehose", "states": "stepfunctions"}
_compiler: Final = EventPatternCompiler()


def check(operation: Any, request: dict[str, Any]) -> None:
    """Refuse a request that AWS refuses.

    Args:
        operation: The operation's model.
        request: What LocalStack's parser made of the request.

    Raises:
        CommonServiceException: It breaks what AWS's model says of a member.
        InvalidEventPatternException: Its event pattern cannot be read.
    """
    if operation.name in _COMPARED and (problem := violations(operation.input_shape, request)):
        raise _refused(problem)
    if operation.name in _WITH_PATTERN and (pattern := request.get("EventPattern")):
        check_pattern(pattern)


def check_pattern(text: str) -> None:
    """Refuse an event pattern that AWS refuses.

    Raises:
        InvalidEventPatternException: It cannot be read.
    """
    try:
        pattern = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidEventPatternException(f"{_INVALID}{error}") from None
    if not isinstance(pattern, dict):
        raise InvalidEventPatternException(f"{_INVALID}Filter is not an object")
    _check_objects(pattern)
    _compiler.compile_event_pattern(with_or_as_name(pattern))


def _check_objects(pattern: dict[str, Any]) -> None:
    if not pattern:
        raise InvalidEventPatternException(f"{_INVALID}Empty objects are not allowed")
    for value in pattern.values():
        if isinstance(value, dict):
            _check_objects(value)


def check_targets(service: Any, targets: list[Any]) -> None:
    """Refuse targets that AWS refuses, before one of them is added.

    Args:
        service: LocalStack's, of the rule.
        targets: Of the request.

    Raises:
        CommonServiceException: AWS refuses one, or this stack has no such targets.
        LimitExceededException: The rule would have too many.
    """
    rule = service.rule
    absent = [name for name, service_name in _MAY_BE_ABSENT.items() if refusal(service_name)]
    for target in targets:
        if problem := why_refused(target, rule.region, absent):
            raise _refused(problem)
    if exceeds(rule.targets, (target["Id"] for target in targets)):
        raise LimitExceededException("The requested resource exceeds the maximum number allowed.")
    for target in targets:  # LocalStack's own checks are where it makes what delivers
        TargetSenderFactory(
            target, service.arn, rule.name, rule.region, rule.account_id
        ).get_target_sender()


def _refused(message: str) -> CommonServiceException:
    return CommonServiceException("ValidationException", message, sender_fault=True)


def _handle(chain: Any, context: Any, response: Any) -> None:
    """Request handler."""
    del chain, response
    if context.service is None or context.service.service_name != "events":
        return
    if context.operation is not None and context.operation.input_shape is not None:
        check(context.operation, context.service_request or {})


def install() -> None:
    """Put the handler in place, and patch LocalStack. Idempotent."""
    if _handle in serve_custom_service_request_handlers.handlers:
        return
    serve_custom_service_request_handlers.append(_handle)
    owner: Any = EventsProvider
    put_targets = owner.put_targets

    @functools.wraps(put_targets)
    def put_checked(
        provider: Any,
        context: Any,
        rule: str,
        targets: list[Any],
        event_bus_name: str | None = None,
        **more: Any,
    ) -> Any:
        place = (context.region, context.account_id, rule, event_bus_name)
        check_targets(provider.get_rule_service(*place), targets)
        return put_targets(provider, context, rule, targets, event_bus_name, **more)

    owner.put_targets = put_checked

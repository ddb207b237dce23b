"""Filter policies of subscriptions, as SNS reads them.

What: both checks of ``SubscriptionFilter`` are replaced by those of
``delivery/core/filter_policy.py``. ``FilterPolicyValidator`` accepts ``wildcard`` and the forms of
``anything-but`` that it does not know, and refuses what it cannot read.
Why: an operator for strings raises when a message has another value: ``Publish`` answers 500, and
the message is lost for the subscriptions that come later. Numbers are compared with strings: a
Number attribute 100 passes ``anything-but: [100]``; true is 1; an empty ``prefix`` matches nothing.
Several arrays in a body are multiplied with each other. Policies of the Developer Guide are
refused, and others answered with 500.
Until: LocalStack's filters match as SNS does, and never raise.
Test: ``tests/unit/delivery/test_filter_policy.py``, ``tests/delivery/test_topic_filters.py``,
``tests/unit/plugin/test_topic_filter_patches.py``.

AWS topics: Amazon SNS Developer Guide, "Filter policy constraints", "String value matching",
"AND/OR logic".
"""

from __future__ import annotations

import functools
from typing import Any

from localstack.aws.api.sns import InvalidParameterException

from trigger_stack.delivery.core.comparison import wildcards_in, with_or_as_name
from trigger_stack.delivery.core.filter_policy import attributes_pass, body_passes

_MOST_WILDCARDS = 3
#: LocalStack knows ``prefix``.
_ANYTHING_BUT = ({"suffix"}, {"wildcard"})


def _check_attributes(_: Any, filter_policy: Any, message_attributes: Any) -> bool:
    return attributes_pass(filter_policy, message_attributes or {})


def _check_body(_: Any, filter_policy: Any, message_body: Any) -> bool:
    return body_passes(filter_policy, message_body)


@functools.cache
def _localstack_validates() -> tuple[Any, Any]:
    """How LocalStack validates a policy and a rule; called before both are replaced."""
    from localstack.services.sns.filter import FilterPolicyValidator

    return FilterPolicyValidator.validate_filter_policy, FilterPolicyValidator._validate_rule


def _validate_policy(validator: Any, filter_policy: Any) -> None:
    """Refuse a policy, with the error of SNS if LocalStack has it."""
    if not isinstance(filter_policy, dict):
        raise _refusal(validator, "Filter is not an object")
    validate, _ = _localstack_validates()
    try:
        validate(validator, with_or_as_name(filter_policy))
    except InvalidParameterException:
        raise
    except Exception as error:  # for example a number where LocalStack expects a list
        raise _refusal(validator, f"the policy cannot be read: {error!r}") from error


def _refusal(validator: Any, why: str) -> InvalidParameterException:
    return InvalidParameterException(f"{validator.error_prefix}FilterPolicy: {why}")


def _validate_rule(validator: Any, rule: Any) -> None:
    """Accept a rule of an operator that LocalStack does not know."""
    if isinstance(rule, dict) and set(rule) == {"wildcard"}:
        pattern = rule["wildcard"]
        if not isinstance(pattern, str):
            raise _refusal(validator, "wildcard match pattern must be a string")
        if wildcards_in(pattern) > _MOST_WILDCARDS:
            raise _refusal(validator, f"wildcard match pattern has more than {_MOST_WILDCARDS} *")
        return
    if isinstance(rule, dict) and set(rule) == {"anything-but"}:
        excluded = rule["anything-but"]
        if isinstance(excluded, dict) and set(excluded) in _ANYTHING_BUT:
            validator._validate_rule(excluded)
            return
    _, validate = _localstack_validates()
    validate(validator, rule)


def install() -> None:
    """Replace LocalStack's checks of messages and policies. Idempotent."""
    from localstack.services.sns.filter import FilterPolicyValidator, SubscriptionFilter

    _localstack_validates()
    replaced: tuple[tuple[Any, str, Any], ...] = (
        (SubscriptionFilter, "check_filter_policy_on_message_attributes", _check_attributes),
        (SubscriptionFilter, "check_filter_policy_on_message_body", _check_body),
        (FilterPolicyValidator, "validate_filter_policy", _validate_policy),
        (FilterPolicyValidator, "_validate_rule", _validate_rule),
    )
    for owner, name, function in replaced:
        setattr(owner, name, function)

"""Amazon SES with receipt rules that are checked, and bounces of received mails.

What: a provider ``ses:receives`` (LocalStack's extension point ``localstack.aws.provider``), the
default: LocalStack's own, with the operations on receipt rules, ``SendBounce`` and
``CloneReceiptRuleSet`` replaced.
Why: LocalStack takes any rule, whether what it uses is there or not, lacks ``DeleteReceiptRule``,
``ReorderReceiptRuleSet``, ``SetReceiptRulePosition`` and ``SendBounce``, and rules of a cloned rule
set are the same objects as the original's.
Until: LocalStack has these operations, and looks at what rules use.
Test: ``tests/unit/plugin/test_ses_patches.py``.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.connect import connect_to
from localstack.services.moto import MotoFallbackDispatcher
from localstack.services.plugins import Service
from localstack.services.ses.provider import SesProvider, get_ses_backend
from moto.ses import ses_backends
from moto.ses.models import ReceiptRuleSet, SESBackend

from trigger_stack.delivery.mail.bounces import bounce
from trigger_stack.delivery.mail.message import ReceivedMail
from trigger_stack.delivery.mail.rules import RuleSet
from trigger_stack.localstack.aws_service import as_aws_error
from trigger_stack.localstack.mail.actions import (
    ActionError,
    check_function,
    client,
    write_setup,
)
from trigger_stack.localstack.mail.outbox import keep
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.ses.validation import (
    MAX_RULE_SETS,
    MAX_RULES,
    check_name,
    check_rule,
    insert,
    position,
    reorder,
)

#: Guards the rule sets: a mail is handled by the rules as they were at one moment.
_LOCK = threading.RLock()
#: Mails that can be bounced by their id: for a day, and not more than this many.
_RECEIVED: OrderedDict[str, ReceivedMail] = OrderedDict()
_MOST_RECEIVED = 10_000
_BOUNCED_FOR = timedelta(hours=24)
_BOUNCE_TYPES = {
    "DoesNotExist": ("550", "5.1.1"),
    "MessageTooLarge": ("552", "5.3.4"),
    "ExceededQuota": ("552", "5.2.2"),
    "ContentRejected": ("500", "5.6.1"),
    "Undefined": ("554", "5.0.0"),
    "TemporaryFailure": ("450", "4.0.0"),
}


def create_service() -> Service:
    """The service for LocalStack's ``localstack.aws.provider`` entry point."""
    service = Service.for_provider(SesProvider(), dispatch_table_factory=MotoFallbackDispatcher)
    service.skeleton.dispatch_table.update(_OPERATIONS)
    return service


def active_rule_sets() -> list[RuleSet]:
    """The active rule set of each account in each region, as it is now."""
    with _LOCK:
        return list(_active())


def _active() -> Iterator[RuleSet]:
    for account, regions in list(ses_backends.items()):
        for region, backend in list(regions.items()):
            found = backend.describe_active_receipt_rule_set()
            if found is not None:
                yield _described(str(account), str(region), backend, found)


def _described(account: str, region: str, backend: SESBackend, found: ReceiptRuleSet) -> RuleSet:
    domains = frozenset(
        name.lower()
        for name, identity in backend.email_identities.items()
        if identity.identity_type == "DOMAIN"
    )
    rules = tuple(copy.deepcopy(found.rules))
    return RuleSet(account, region, found.name, rules, domains)


def remember(mail: ReceivedMail) -> None:
    """Keep what ``SendBounce`` needs of a mail: its envelope and headers."""
    head = mail.raw.split(b"\r\n\r\n", 1)[0][:65_536]
    with _LOCK:
        _RECEIVED[mail.id] = ReceivedMail(mail.id, mail.region, mail.envelope, head, mail.received)
        while len(_RECEIVED) > _MOST_RECEIVED:
            _RECEIVED.popitem(last=False)


def _create_receipt_rule_set(context: RequestContext, request: Any) -> Any:
    """Make an empty rule set."""
    backend, name = get_ses_backend(context), request["RuleSetName"]
    with _LOCK, _errors():
        _check_new(backend, name)
        backend.receipt_rule_set[name] = ReceiptRuleSet(name=name)
    return {}


def _clone_receipt_rule_set(context: RequestContext, request: Any) -> Any:
    """Make a rule set with copies of the rules of another."""
    backend, name = get_ses_backend(context), request["RuleSetName"]
    with _LOCK, _errors():
        original = _rule_set(backend, request["OriginalRuleSetName"])
        _check_new(backend, name)
        made = backend.receipt_rule_set[name] = ReceiptRuleSet(name=name)
        made.rules = copy.deepcopy(original.rules)
    return {}


def _set_active_receipt_rule_set(context: RequestContext, request: Any) -> Any:
    """Make a rule set the active one, or none."""
    backend, name = get_ses_backend(context), request.get("RuleSetName")
    with _LOCK, _errors():
        wanted = _rule_set(backend, name) if name else None
        for one in backend.receipt_rule_set.values():
            one.is_active = one is wanted
    return {}


def _create_receipt_rule(context: RequestContext, request: Any) -> Any:
    """Make a rule, behind the one that ``After`` names or before all."""
    backend, rule = get_ses_backend(context), dict(request["Rule"])
    with _errors():
        check_rule(rule)
        with _LOCK:
            known = _rule_set(backend, request["RuleSetName"])
            rules = list(known.rules)
            if any(one["Name"] == rule["Name"] for one in rules):
                raise ServiceError("AlreadyExists", f"Rule already exists: {rule['Name']}")
            if len(rules) >= MAX_RULES:
                raise ServiceError("LimitExceeded", f"A rule set has {MAX_RULES} rules at most.")
            insert(rules, rule, request.get("After"))
        _check_use(context, backend, known, rule)
        with _LOCK:
            insert(known.rules, rule, request.get("After"))
    return {}


def _update_receipt_rule(context: RequestContext, request: Any) -> Any:
    """Put a rule in the place of one with the same name."""
    backend, rule = get_ses_backend(context), dict(request["Rule"])
    with _errors():
        check_rule(rule)
        with _LOCK:
            known = _rule_set(backend, request["RuleSetName"])
            position(known.rules, rule["Name"])
        _check_use(context, backend, known, rule)
        with _LOCK:
            known.rules[position(known.rules, rule["Name"])] = rule
    return {}


def _delete_receipt_rule(context: RequestContext, request: Any) -> Any:
    """Delete a rule; one that is not there is deleted."""
    backend = get_ses_backend(context)
    with _LOCK, _errors():
        known = _rule_set(backend, request["RuleSetName"])
        known.rules[:] = [one for one in known.rules if one["Name"] != request["RuleName"]]
    return {}


def _set_receipt_rule_position(context: RequestContext, request: Any) -> Any:
    """Put a rule behind the one that ``After`` names, or before all."""
    backend = get_ses_backend(context)
    with _LOCK, _errors():
        known = _rule_set(backend, request["RuleSetName"])
        rules = list(known.rules)
        rule = rules.pop(position(rules, request["RuleName"]))
        insert(rules, rule, request.get("After"))
        known.rules[:] = rules
    return {}


def _reorder_receipt_rule_set(context: RequestContext, request: Any) -> Any:
    """Put the rules into another order."""
    backend = get_ses_backend(context)
    with _LOCK, _errors():
        known = _rule_set(backend, request["RuleSetName"])
        known.rules[:] = reorder(known.rules, request["RuleNames"])
    return {}


def _send_bounce(context: RequestContext, request: Any) -> Any:
    """Bounce a mail that was received within the last 24 hours."""
    backend, now = get_ses_backend(context), datetime.now(UTC)
    with _LOCK:
        mail = _RECEIVED.get(request["OriginalMessageId"])
    if mail is None or now - mail.received > _BOUNCED_FOR:
        raise CommonServiceException(
            "MessageRejected",
            f"Original message not found: {request['OriginalMessageId']}",
            sender_fault=True,
        )
    sender = request["BounceSender"]
    _check_sender(backend, sender, "MessageRejected")
    recipients = request["BouncedRecipientInfoList"]
    kind = recipients[0].get("BounceType") or "Undefined"
    fields = recipients[0].get("RecipientDsnFields") or {}
    code, status = _BOUNCE_TYPES.get(kind, _BOUNCE_TYPES["Undefined"])
    text = bounce(
        mail,
        [one["Recipient"] for one in recipients],
        sender=sender,
        message=request.get("Explanation") or fields.get("DiagnosticCode") or kind,
        reply_code=code,
        status=fields.get("Status") or status,
        now=now,
    )
    identity = keep(
        context.region,
        source=sender,
        destination={"ToAddresses": [mail.envelope.source]},
        subject="Delivery Status Notification (Failure)",
        raw=text.decode("utf-8", "replace"),
    )
    return {"MessageId": identity}


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Give errors of a check on as SES writes them."""
    try:
        yield
    except ServiceError as error:
        raise as_aws_error(error) from error


def _rule_set(backend: SESBackend, name: str) -> ReceiptRuleSet:
    found = backend.receipt_rule_set.get(name)
    if found is None:
        raise ServiceError("RuleSetDoesNotExist", f"Rule set does not exist: {name}")
    return found


def _check_new(backend: SESBackend, name: str) -> None:
    check_name(name, "rule set")
    if name in backend.receipt_rule_set:
        raise ServiceError("AlreadyExists", f"Rule set already exists: {name}")
    if len(backend.receipt_rule_set) >= MAX_RULE_SETS:
        raise ServiceError("LimitExceeded", f"There are {MAX_RULE_SETS} receipt rule sets already.")


def _check_use(
    context: RequestContext, backend: SESBackend, known: ReceiptRuleSet, rule: dict[str, Any]
) -> None:
    """Whether SES can use what the actions of a rule use; tries each bucket out.

    Raises:
        ServiceError: It cannot.
    """
    rule_set = _described(context.account_id, context.region, backend, known)
    arn = rule_set.rule_arn(rule["Name"])
    for action in rule.get("Actions") or []:
        ((kind, body),) = ((k, v) for k, v in action.items() if v is not None)
        if body.get("TopicArn"):
            _check_topic(rule_set, arn, body["TopicArn"])
        try:
            match kind:
                case "LambdaAction":
                    check_function(body["FunctionArn"], arn)
                case "S3Action":
                    _check_role(rule_set, body.get("IamRoleArn"))
                    write_setup(body, rule_set, arn)
                case "BounceAction":
                    _check_sender(backend, body["Sender"], "InvalidParameterValue")
        except ActionError as error:
            code = "InvalidLambdaFunction" if kind == "LambdaAction" else "InvalidS3Configuration"
            raise ServiceError(code, str(error)) from None


def _check_topic(rule_set: RuleSet, rule_arn: str, topic: str) -> None:
    parts = topic.split(":")
    refused = ServiceError("InvalidSnsTopic", f"Invalid SNS topic: {topic}")
    if len(parts) != 6 or parts[2] != "sns" or parts[3] != rule_set.region:
        raise refused
    sns = client("sns", rule_set.account, rule_set.region, rule_arn)
    try:
        sns.get_topic_attributes(TopicArn=topic)
    except sns.exceptions.ClientError:
        raise refused from None


def _check_role(rule_set: RuleSet, role: str | None) -> None:
    if not role:
        return
    iam = connect_to(aws_access_key_id=rule_set.account, region_name=rule_set.region).iam
    try:
        iam.get_role(RoleName=role.rpartition("/")[2])
    except iam.exceptions.NoSuchEntityException:
        raise ServiceError(
            "InvalidParameterValue", f"Could not assume the provided IAM role: {role}"
        ) from None


def _check_sender(backend: SESBackend, sender: str, code: str) -> None:
    if not backend._is_verified_address(sender):
        message = f"Email address is not verified: {sender}"
        raise CommonServiceException(code, message, sender_fault=True)


_OPERATIONS: dict[str, Callable[[RequestContext, Any], Any]] = {
    "CreateReceiptRuleSet": _create_receipt_rule_set,
    "CloneReceiptRuleSet": _clone_receipt_rule_set,
    "SetActiveReceiptRuleSet": _set_active_receipt_rule_set,
    "CreateReceiptRule": _create_receipt_rule,
    "UpdateReceiptRule": _update_receipt_rule,
    "DeleteReceiptRule": _delete_receipt_rule,
    "SetReceiptRulePosition": _set_receipt_rule_position,
    "ReorderReceiptRuleSet": _reorder_receipt_rule_set,
    "SendBounce": _send_bounce,
}

"""Carries out the actions of receipt rules.

What: no patch. A function's event goes to the engine, all else through LocalStack's internal
clients, in the account of the rule set.
Why: LocalStack stores receipt rules and receives no mail.
Until: LocalStack receives mail.
Test: ``tests/e2e/test_received_mail.py``.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError
from localstack.aws.connect import connect_to
from localstack.services.plugins import SERVICE_PLUGINS

from trigger_stack.delivery.mail.bounces import bounce
from trigger_stack.delivery.mail.delivery import Done, Job
from trigger_stack.delivery.mail.message import lambda_event, published
from trigger_stack.delivery.mail.rules import RuleSet, Step
from trigger_stack.localstack.lambda_engine.event_manager import accept
from trigger_stack.localstack.lambda_engine.versions import can_be_invoked
from trigger_stack.localstack.mapping_worker import invoke
from trigger_stack.services.ses.permissions import may
from trigger_stack_engine.invoke.tracing import segment_of, with_parent

#: SES tries an action again by itself.
_ONE_TRY = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
#: Bytes of a mail that an ``SNS`` action publishes.
MAX_PUBLISHED_BYTES = 150 * 1024
#: Bytes of a message that a topic takes. Bytes that are no text, and what JSON escapes, make one
#: of a smaller mail longer than that: no later try would succeed.
_MAX_MESSAGE_BYTES = 256 * 1024
#: Seconds that a ``RequestResponse`` function has.
_ANSWERS_WITHIN_S = 30.0
_DISPOSITIONS = ("STOP_RULE", "STOP_RULE_SET")
_SETUP = "AMAZON_SES_SETUP_NOTIFICATION"
#: Functions that are waited for; one that does not answer in time goes on running.
_POOL = ThreadPoolExecutor(32, thread_name_prefix="mail-functions")


class ActionError(Exception):
    """An action cannot be carried out now."""


def client(
    service: str, account: str, region: str, rule_arn: str, trace_id: str | None = None
) -> Any:
    """LocalStack's client of a service, which says that SES asks."""
    clients: Any = connect_to(aws_access_key_id=account, region_name=region, config=_ONE_TRY)
    found = clients.get_client(service).request_metadata(
        source_arn=rule_arn, service_principal="ses"
    )
    return found.custom_headers({"X-Amzn-Trace-Id": trace_id}) if trace_id else found


def act(job: Job, step: Step) -> Done:
    """Take one step.

    Raises:
        Exception: It could not be taken.
    """
    if step.notifies:
        _publish(job, step, _notification(job, step, {}))
        return Done(f"{step.body['TopicArn']} notified")
    return _KINDS[step.kind](job, step)


def _client(job: Job, step: Step, service: str, arn: str = "") -> Any:
    rule_set = job.rule_set
    region = (arn.split(":")[3] if arn else "") or rule_set.region
    rule_arn = rule_set.rule_arn(step.rule)
    return client(service, rule_set.account, region, rule_arn, _trace(job))


def _trace(job: Job) -> str:
    """The header that makes what an action causes an effect of the mail."""
    return with_parent(job.trace_id, segment_of(job.mail.id))


def _receipt(job: Job, step: Step, action: dict[str, Any]) -> dict[str, Any]:
    described = {"type": step.kind, **{k: v for k, v in action.items() if v is not None}}
    return job.mail.receipt(step.recipients, described, datetime.now(UTC))


# --- S3


def key_of(body: dict[str, Any], name: str) -> str:
    """Key of an object below an action's prefix."""
    prefix = body.get("ObjectKeyPrefix") or ""
    return f"{prefix}{'' if not prefix or prefix.endswith('/') else '/'}{name}"


def check_bucket(body: dict[str, Any], rule_set: RuleSet, rule_arn: str, key: str) -> None:
    """Whether SES may write to an action's bucket.

    Raises:
        ActionError: It may not, or there is no such bucket.
    """
    bucket = body["BucketName"]
    s3 = client("s3", rule_set.account, rule_set.region, rule_arn)
    try:
        policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
            raise ActionError(f"Could not write to bucket: {bucket}") from None
        policy = None
    if body.get("IamRoleArn"):
        return  # the role's own policies count instead; they are not looked at
    if not may(policy, "s3:PutObject", f"arn:aws:s3:::{bucket}/{key}", rule_arn):
        raise ActionError(f"Could not write to bucket: {bucket}")


def write_setup(body: dict[str, Any], rule_set: RuleSet, rule_arn: str) -> None:
    """The object with which SES tries out a bucket when a rule is made or changed.

    Raises:
        ActionError: It could not be written.
    """
    key = key_of(body, _SETUP)
    check_bucket(body, rule_set, rule_arn, key)
    text = (
        "Subject: Amazon SES Setup Notification\r\n\r\n"
        "SES can write to this bucket: mails that the receipt rule is for will be stored here.\r\n"
    )
    s3 = client("s3", rule_set.account, rule_set.region, rule_arn)
    try:
        s3.put_object(Bucket=body["BucketName"], Key=key, Body=text.encode())
    except ClientError:
        raise ActionError(f"Could not write to bucket: {body['BucketName']}") from None


def _to_bucket(job: Job, step: Step) -> Done:
    body, key = step.body, key_of(step.body, job.mail.id)
    check_bucket(body, job.rule_set, job.rule_set.rule_arn(step.rule), key)
    _client(job, step, "s3").put_object(Bucket=body["BucketName"], Key=key, Body=job.mail.content)
    return Done(f"s3://{body['BucketName']}/{key}", keeps=True)


# --- SNS


def _notification(job: Job, step: Step, more: dict[str, Any]) -> str:
    notification = {
        "notificationType": "Received",
        "mail": job.mail.describe(),
        "receipt": _receipt(job, step, _shown(job, step)),
        **more,
    }
    text = json.dumps(notification, ensure_ascii=False)  # escapes are three times as long
    return text.encode("utf-8", "replace").decode()  # a header may decode to half a character


def _publish(job: Job, step: Step, message: str) -> None:
    topic = step.body["TopicArn"]
    _client(job, step, "sns", topic).publish(
        TopicArn=topic, Subject="Amazon SES Email Receipt Notification", Message=message
    )


def _shown(job: Job, step: Step) -> dict[str, Any]:
    """``action`` of an event or notification, but for its type."""
    body = step.body
    shown: dict[str, Any] = {"topicArn": body.get("TopicArn")}
    match step.kind:
        case "S3":
            shown |= {
                "bucketName": body["BucketName"],
                "objectKeyPrefix": body.get("ObjectKeyPrefix"),
                "objectKey": key_of(body, job.mail.id),
            }
        case "SNS":
            shown["encoding"] = (body.get("Encoding") or "UTF-8").upper()
        case "Bounce":
            shown |= {
                "smtpReplyCode": body["SmtpReplyCode"],
                "statusCode": body.get("StatusCode"),
                "message": body["Message"],
                "sender": body["Sender"],
            }
        case "Lambda":
            shown |= {
                "functionArn": body["FunctionArn"],
                "invocationType": body.get("InvocationType") or "Event",
            }
    return shown


def _to_topic(job: Job, step: Step) -> Done:
    content = job.mail.content
    if len(content) <= MAX_PUBLISHED_BYTES:
        text = published(content, step.body.get("Encoding"))
        message = _notification(job, step, {"content": text})
        if len(message.encode()) <= _MAX_MESSAGE_BYTES:
            _publish(job, step, message)
            return Done(f"published to {step.body['TopicArn']}", keeps=True)
    why = "Message length exceeds limit"
    return _bounced(job, step, step.body.get("Sender"), why, "552", "5.3.4")


# --- Lambda


def check_function(arn: str, rule_arn: str) -> None:
    """Whether SES may invoke a function.

    Raises:
        ActionError: It may not, or there is no such function.
    """
    SERVICE_PLUGINS.require("lambda")
    policy = None
    if can_be_invoked(arn):
        _, _, _, region, account, _, *names = arn.split(":")
        qualifier = {"Qualifier": names[1]} if len(names) > 1 else {}
        with contextlib.suppress(ClientError):  # no policy: nobody may
            policy = client("lambda", account, region, rule_arn).get_policy(
                FunctionName=names[0], **qualifier
            )["Policy"]
    if not may(policy, "lambda:InvokeFunction", arn, rule_arn):
        raise ActionError(f"Could not invoke Lambda function: {arn}")


def _to_function(job: Job, step: Step) -> Done:
    arn = step.body["FunctionArn"]
    rule_arn = job.rule_set.rule_arn(step.rule)
    check_function(arn, rule_arn)
    receipt = _receipt(job, step, _shown(job, step))
    event = json.dumps(lambda_event(job.mail.describe(), receipt)).encode()
    if step.body.get("InvocationType") == "RequestResponse":
        return _ask(arn, event, rule_arn, _trace(job))
    # One id for all tries: the engine ignores an event that it knows.
    name = f"{rule_arn}/{job.mail.id}/{len(job.steps)}"
    request_id = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
    accept(arn, event, request_id=request_id, source=rule_arn, trace_id=_trace(job))
    return Done(f"{arn} invoked, request id {request_id}", keeps=True)


def _ask(arn: str, event: bytes, rule_arn: str, trace_id: str) -> Done:
    """Invoke a function and do as it says."""
    ask = partial(invoke, arn, event, rule_arn, kind="received mail", trace_id=trace_id)
    asked = _POOL.submit(ask)
    try:
        reply = asked.result(_ANSWERS_WITHIN_S)
    except NotInTimeError:
        asked.cancel()  # what has not begun is not to run beside the next try
        raise ActionError(f"{arn} did not answer within {_ANSWERS_WITHIN_S:g} seconds") from None
    if reply.is_error:
        raise ActionError(f"{arn} failed: {_error_of(reply.payload)}")
    try:
        answer = json.loads(reply.payload or b"null")
    except (ValueError, RecursionError):
        answer = None
    given = str(answer.get("disposition")).upper() if isinstance(answer, dict) else ""
    disposition = given if given in _DISPOSITIONS else ""
    return Done(f"{arn} answered {disposition or 'CONTINUE'}", disposition)


def _error_of(payload: bytes) -> str:
    """Type and message of a function's error."""
    try:
        error = json.loads(payload)
        return f"{error['errorType']}: {error['errorMessage']}"[:500]
    except (ValueError, KeyError, TypeError, RecursionError):
        return payload.decode(errors="replace")[:500]


# --- Bounce, Stop, AddHeader


def _bounce(job: Job, step: Step) -> Done:
    body = step.body
    code = body["SmtpReplyCode"]
    status = body.get("StatusCode") or f"{code[0]}.0.0"
    return _bounced(job, step, body["Sender"], body["Message"], code, status)


def _bounced(
    job: Job, step: Step, sender: str | None, message: str, code: str, status: str
) -> Done:
    """Tell a mail's sender that it was not delivered; a bounce itself is never bounced."""
    source = job.mail.envelope.source
    if not source:
        return Done(f"{code} {status} {message}: not told, the mail has no sender")
    text = bounce(
        job.mail,
        step.recipients,
        sender=sender or f"MAILER-DAEMON@{job.rule_set.region}.amazonses.com",
        message=message,
        reply_code=code,
        status=status,
        now=datetime.now(UTC),
    )
    from trigger_stack.localstack.mail.outbox import keep

    identity = keep(
        job.rule_set.region,
        source=sender or "MAILER-DAEMON",
        destination={"ToAddresses": [source]},
        subject="Delivery Status Notification (Failure)",
        raw=text.decode("utf-8", "replace"),
    )
    return Done(f"{code} {status} {message}: {source} was told, mail {identity}", keeps=True)


def _stop(job: Job, step: Step) -> Done:
    return Done("no further rule is looked at", "STOP_RULE_SET")


def _add_header(job: Job, step: Step) -> Done:
    name, value = step.body["HeaderName"], step.body["HeaderValue"]
    job.mail.added.insert(0, (name, value))
    return Done(f"{name}: {value}")


_KINDS: dict[str, Callable[[Job, Step], Done]] = {
    "AddHeader": _add_header,
    "Bounce": _bounce,
    "Lambda": _to_function,
    "S3": _to_bucket,
    "SNS": _to_topic,
    "Stop": _stop,
}

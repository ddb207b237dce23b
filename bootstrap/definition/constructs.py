"""``constructs``: queues and storage of the plugin ``serverless-lift``, as what they consist of.

Follows the plugin's documentation ("Queue", "Storage"). A queue is a queue with a dead-letter queue
and a worker; a storage is a bucket. The other types are refused when something refers to them, and
noted otherwise.
"""

from __future__ import annotations

from typing import Any, Final

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.parsing import Model, parse

PLUGIN: Final = "serverless-lift"
#: Outputs that ``${construct:<name>.<output>}`` may name, by type: an attribute; None is ``Ref``.
_OUTPUTS: Final[dict[str, dict[str, str | None]]] = {
    "queue": {"queueUrl": None, "queueArn": "Arn"},
    "storage": {"bucketName": None, "bucketArn": "Arn"},
}
_NO_EFFECT: Final = {
    "alarm": "has no effect here: nobody is written to; make dlq shows what failed",
    "archive": "has no effect here: objects stay where they are",
    "encryption": "has no effect here: nothing is encrypted",
    "encryptionKey": "has no effect here: nothing is encrypted",
}
_SEEN_TIMES: Final = 3
_TWO_WEEKS_S: Final = 1_209_600
_DEFAULT_TIMEOUT_S: Final = 6


class QueueConstruct(Model):
    """``constructs.<name>`` of type ``queue``; times are in seconds."""

    type: str
    worker: dict[str, Any]
    fifo: bool = False
    delay: int | None = None
    maxRetries: int = _SEEN_TIMES
    batchSize: int = 1
    maxBatchingWindow: int = 0
    maxConcurrency: int | None = None
    alarm: str | None = None
    encryption: str | None = None
    encryptionKey: str | None = None


class StorageConstruct(Model):
    """``constructs.<name>`` of type ``storage``."""

    type: str
    archive: int | None = None
    encryption: str | None = None


def output(document: Document, address: str) -> Any:
    """The value of ``${construct:<address>}``: a reference; None when there is no such output."""
    name, _, wanted = address.partition(".")
    body = (document.data.get("constructs") or {}).get(name)
    outputs = _OUTPUTS.get(str(body.get("type")), {}) if isinstance(body, dict) else {}
    if wanted not in outputs:
        return None
    attribute = outputs[wanted]
    if attribute is None:
        return {"Ref": _resource_id(name)}
    return {"Fn::GetAtt": [_resource_id(name), attribute]}


def expand(document: Document) -> None:
    """Write the constructs of the document as functions, resources and role statements."""
    constructs = document.data.pop("constructs", None)
    if not isinstance(constructs, dict):
        return
    for name, body in constructs.items():
        path = ("constructs", name)
        kind = body.get("type") if isinstance(body, dict) else None
        if PLUGIN not in document.plugins or kind not in _OUTPUTS:
            document.note(f"is not made: {kind} is no construct of {PLUGIN} that is known", *path)
            continue
        with document.collecting():
            for key in [key for key in _NO_EFFECT if key in body]:
                document.note(_NO_EFFECT[key], *path, key)
            if kind == "queue":
                _queue(document, name, parse(QueueConstruct, body, document, path))
            else:
                _storage(document, name, parse(StorageConstruct, body, document, path))
            document.note(f"is made as {PLUGIN} makes it: a {kind}", *path)


def _resource_id(name: str) -> str:
    return f"{naming.alphanumeric(name)}Construct"


def _queue(document: Document, name: str, queue: QueueConstruct) -> None:
    provider = document.data.get("provider") or {}
    start = f"{document.data.get('service')}-{provider.get('stage') or 'dev'}-{name}"
    timeout = queue.worker.get("timeout") or provider.get("timeout") or _DEFAULT_TIMEOUT_S
    timeout = timeout if isinstance(timeout, int) else _DEFAULT_TIMEOUT_S
    end, fifo = (".fifo", {"FifoQueue": True}) if queue.fifo else ("", {})
    own, failed = _resource_id(name), f"{_resource_id(name)}Dlq"
    arn = {"Fn::GetAtt": [own, "Arn"]}
    _add(
        document,
        failed,
        "AWS::SQS::Queue",
        {"QueueName": f"{start}-dlq{end}", "MessageRetentionPeriod": _TWO_WEEKS_S, **fifo},
    )
    properties = {
        "QueueName": f"{start}{end}",
        "VisibilityTimeout": 6 * timeout + queue.maxBatchingWindow,
        "RedrivePolicy": {
            "deadLetterTargetArn": {"Fn::GetAtt": [failed, "Arn"]},
            "maxReceiveCount": queue.maxRetries,
        },
        **({"ContentBasedDeduplication": True, **fifo} if fifo else {}),
        **({"DelaySeconds": queue.delay} if queue.delay is not None else {}),
    }
    _add(document, own, "AWS::SQS::Queue", properties)
    event: dict[str, Any] = {
        "arn": arn,
        "batchSize": queue.batchSize,
        "maximumBatchingWindow": queue.maxBatchingWindow,
        "functionResponseType": "ReportBatchItemFailures",
    }
    if queue.maxConcurrency is not None:
        event["maximumConcurrency"] = queue.maxConcurrency
    functions = document.data.setdefault("functions", {})
    if isinstance(functions, dict):
        functions[f"{name}Worker"] = {**queue.worker, "events": [{"sqs": event}]}
    _allow(document, ["sqs:SendMessage"], [arn])


def _storage(document: Document, name: str, storage: StorageConstruct) -> None:
    del storage  # none of its settings matters here
    own = _resource_id(name)
    _add(document, own, "AWS::S3::Bucket", {"VersioningConfiguration": {"Status": "Enabled"}})
    arn = {"Fn::GetAtt": [own, "Arn"]}
    actions = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket"]
    _allow(document, actions, [arn, {"Fn::Join": ["", [arn, "/*"]]}])


def _add(document: Document, identity: str, kind: str, properties: dict[str, Any]) -> None:
    resources = document.data.setdefault("resources", {})
    if isinstance(resources, dict):
        resources.setdefault("Resources", {})[identity] = {"Type": kind, "Properties": properties}


def _allow(document: Document, actions: list[str], resources: list[Any]) -> None:
    provider = document.data.get("provider")
    role = provider.setdefault("iam", {}).setdefault("role", {}) if provider else None
    if isinstance(role, dict):
        statement = {"Effect": "Allow", "Action": actions, "Resource": resources}
        role.setdefault("statements", []).append(statement)

"""Copies AWS's resource schemas, as far as the stack needs them, out of LocalStack.

The bootstrap imports no LocalStack, and runs where there is none. LocalStack's copies are those of
AWS's registry at the time of its release; what is older or otherwise than AWS is in ``LOOSENED``.
Types that LocalStack has no schema of are in ``scripts/aws_schemas/``, without their descriptions:
copied from cfn-lint, which publishes AWS's registry (MIT-0, "MIT No Attribution").

    python scripts/aws_schemas.py                 writes bootstrap/services/aws_schemas.json
    python scripts/aws_schemas.py --check         says whether it is what would be written
    python scripts/aws_schemas.py --take FOLDER   copies the types that scripts/aws_schemas/ has
        from cfn-lint, installed there: uv pip install --no-deps --target FOLDER cfn-lint
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.aws_schemas import FILE

#: Schemas of types that LocalStack has none of, and where in cfn-lint's package they come from.
OTHERS = Path(__file__).with_suffix("")
_REGISTRY = "cfnlint/data/schemas"

#: Six parts with colons between them.
_ARN = "^arn:[^:]+:[^:]+:[^:]*:[^:]*:.+"
#: What is otherwise than in a schema: its place below the type, what stands there instead (None:
#: nothing), and the reason.
LOOSENED: dict[str, tuple[Any, str]] = {
    "AWS::ApiGateway::Method definitions/Integration/properties/TimeoutInMillis/maximum": (
        None,
        "AWS raises the quota of regional APIs on request; the stack's own limit is its own",
    ),
    "AWS::Events::Rule definitions/Target/properties/Input/type": (
        ["object", "string"],
        "the input of an event may be a mapping, which the type writes as JSON",
    ),
    "AWS::Lambda::Function properties/Code": (
        None,
        "a package is made of a folder here: other keys, which the type itself checks",
    ),
    "AWS::Lambda::Function properties/Handler/pattern": (
        None,
        "the check of handlers looks for the file, and says what is missing in which",
    ),
    "AWS::Lambda::LayerVersion properties/Content": (
        None,
        "a layer is made of a folder here: other keys, which the type itself checks",
    ),
    "AWS::Lambda::EventSourceMapping properties/StartingPosition": (
        None,
        "the pattern also takes LATESTLATEST; the type itself has the three values",
    ),
    "AWS::Lambda::EventSourceMapping properties/EventSourceArn/pattern": (
        _ARN,
        "the pattern is older than some partitions, whose regions it does not know",
    ),
    "AWS::Lambda::EventSourceMapping definitions/OnFailure/properties/Destination/pattern": (
        _ARN,
        "the pattern is older than some partitions, whose regions it does not know",
    ),
    "AWS::Lambda::Url properties/TargetFunctionArn/pattern": (
        "^[a-zA-Z0-9-_:]+$",
        "the pattern is older than some partitions, whose regions it does not know",
    ),
}
_TAGS = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"Key": {"type": "string"}, "Value": {"type": "string"}},
        "required": ["Key", "Value"],
    },
}
#: Properties that AWS has and the copy does not have yet.
ADDED: dict[str, dict[str, Any]] = {
    "AWS::CloudWatch::Alarm": {"Tags": _TAGS},
    "AWS::CloudWatch::CompositeAlarm": {"Tags": _TAGS},
    "AWS::Lambda::Permission": {"InvokedViaFunctionUrl": {"type": "boolean"}},
}
#: Names of properties that AWS has and the copy does not have yet, for what is said of them.
NEWER: dict[str, tuple[str, ...]] = {
    "AWS::ApiGateway::RestApi": ("EndpointAccessMode", "SecurityPolicy"),
    "AWS::CloudWatch::Alarm": (
        *("ActionConfiguration", "EvaluationCriteria", "EvaluationInterval", "EvaluationWindow"),
        "WarmUpConfiguration",
    ),
    "AWS::CloudWatch::CompositeAlarm": ("ActionConfiguration",),
    "AWS::DynamoDB::Table": (
        *("OnDemandThroughput", "ResourcePolicy", "VectorIndexes", "WarmThroughput"),
    ),
    "AWS::Events::ApiDestination": ("ArnForPolicy",),
    "AWS::Events::Connection": (
        *("ArnForPolicy", "InvocationConnectivityParameters", "KmsKeyIdentifier"),
    ),
    "AWS::Events::EventBus": ("DeadLetterConfig", "Description", "KmsKeyIdentifier", "LogConfig"),
    "AWS::Events::Rule": ("Tags",),
    "AWS::Kinesis::Stream": (
        *("DesiredShardLevelMetrics", "MaxRecordSizeInKiB", "RecordDistributionStrategy"),
        "WarmThroughputMiBps",
    ),
    "AWS::Kinesis::StreamConsumer": ("Tags",),
    "AWS::Lambda::EventSourceMapping": (
        *("KmsKeyArn", "LoggingConfig", "MetricsConfig", "ProvisionedPollerConfig", "Tags"),
    ),
    "AWS::Lambda::Version": ("FunctionScalingConfig", "RuntimePolicy"),
    "AWS::Logs::LogGroup": (
        *("BearerTokenAuthenticationEnabled", "DeletionProtectionEnabled", "FieldIndexPolicies"),
        *("LogGroupClass", "ResourcePolicyDocument"),
    ),
    "AWS::Logs::SubscriptionFilter": (
        *("ApplyOnTransformedLogs", "EmitSystemFields", "FieldSelectionCriteria"),
    ),
    "AWS::S3::Bucket": ("BucketNamePrefix", "BucketNamespace"),
    "AWS::SES::EmailIdentity": ("Tags",),
    "AWS::SNS::Topic": (
        *("ArchivePolicy", "DeliveryStatusLogging", "FifoThroughputScope", "MaximumMessageSize"),
    ),
}
#: Keywords that say something about a value.
_KEPT = (
    *("$ref", "additionalProperties", "const", "enum", "items", "maxItems", "maxLength"),
    *("maximum", "minItems", "minLength", "minimum", "oneOf", "pattern", "patternProperties"),
    *("properties", "required", "type", "uniqueItems"),
)
#: Keywords that say nothing that has to be checked.
_LEFT = (
    *("default", "description", "examples", "format", "insertionOrder", "title"),
    *("maxProperties", "minProperties", "relationshipRef", "$comment", "arrayType"),
)
_NAMES = ("properties", "patternProperties")
#: What is taken of a whole schema.
_TAKEN = ("definitions", "properties", "readOnlyProperties", "required", "typeName")


def sources() -> Iterator[dict[str, Any]]:
    """Every schema that LocalStack ships, and those of other types."""
    yield from localstacks()
    for file in sorted(OTHERS.glob("*.json")):
        yield json.loads(file.read_text(encoding="utf-8"))


def take(folder: Path) -> None:
    """Copy schemas from cfn-lint: those of the types that there is a file for.

    Args:
        folder: Where cfn-lint is installed.
    """
    wanted = {file.stem.replace("-", "::"): file for file in OTHERS.glob("*.json")}
    for source in sorted((folder / _REGISTRY / "resources").glob("*.json")):
        schema = json.loads(source.read_text(encoding="utf-8"))
        if file := wanted.get(schema["typeName"]):
            kept = {key: schema[key] for key in _TAKEN if key in schema}
            text = json.dumps(_undescribed(kept), indent=1, sort_keys=True)
            file.write_text(f"{text}\n", encoding="utf-8")


def _undescribed(value: Any) -> Any:
    """A schema without the texts that explain it."""
    if isinstance(value, list):
        return [_undescribed(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _undescribed(one)
        for key, one in value.items()
        if not (key in ("description", "$comment") and isinstance(one, str))
    }


def localstacks() -> Iterator[dict[str, Any]]:
    """Every schema that LocalStack ships."""
    found = importlib.util.find_spec("localstack")  # found, not imported
    for root in (found and found.submodule_search_locations) or ():
        for file in sorted(Path(root).rglob("*.schema.json")):
            yield json.loads(file.read_text(encoding="utf-8"))


def reduced(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """What is needed of the schema of a type.

    Raises:
        ValueError: a keyword that nobody has looked at.
    """
    resource_type = RESOURCE_TYPES[kind]
    supported = resource_type.required.keys() | resource_type.optional.keys()
    given = schema["properties"] | ADDED.get(kind, {})
    properties = {name: _plain(given[name]) for name in sorted(supported & given.keys())}
    definitions: dict[str, Any] = {}
    todo = [properties]
    while todo:
        for name in re.findall(r'"#/definitions/(\w+)"', json.dumps(todo.pop())):
            if name not in definitions:
                definitions[name] = _plain(schema["definitions"][name])
                todo.append(definitions[name])
    result = {
        "names": sorted({*given, *NEWER.get(kind, ())}),
        "readOnly": sorted(
            pointer.removeprefix("/properties/")
            for pointer in schema.get("readOnlyProperties", ())
            if pointer.count("/") == 2
        ),
        "required": sorted(schema.get("required", ())),
        "properties": properties,
        "definitions": dict(sorted(definitions.items())),
    }
    for place, (instead, _) in LOOSENED.items():
        owner, _, path = place.partition(" ")
        if owner == kind:
            _put(result, path.split("/"), instead)
    return result


def _plain(schema: Any) -> Any:
    """A schema without what says nothing about a value."""
    if not isinstance(schema, dict):
        return [_plain(one) for one in schema] if isinstance(schema, list) else schema
    for key in schema:
        # A misspelt “type” in AWS's schema of a stream is among them.
        if key not in (*_KEPT, *_LEFT, "StreamMode"):
            raise ValueError(f"the keyword {key} is not known: keep it, or leave it out")
    return {
        key: {name: _plain(one) for name, one in schema[key].items()}
        if key in _NAMES
        else _plain(schema[key])
        for key in _KEPT
        if key in schema
        and (key == "additionalProperties" or schema[key] is not False)
        and (key != "pattern" or _is_readable(schema[key]))
    }


def _is_readable(pattern: Any) -> bool:
    """Whether Python reads a regular expression: AWS's may have classes that Python lacks."""
    try:
        re.compile(str(pattern))
    except re.error:
        return False
    return True


def _put(schema: Any, path: list[str], instead: Any) -> None:
    for key in path[:-1]:
        schema = schema[key]
    if schema.pop(path[-1]) == instead:
        raise ValueError(f"{path} is so in the schema: it need not be loosened")
    if instead is not None:
        schema[path[-1]] = instead


def content() -> str:
    """What the file is to have."""
    types = {
        schema["typeName"]: reduced(schema["typeName"], schema)
        for schema in sources()
        if schema["typeName"] in RESOURCE_TYPES
    }
    version = importlib.metadata.version("localstack-core")
    source = f"localstack-core {version} and scripts/aws_schemas/, by scripts/aws_schemas.py"
    lines = ",\n".join(
        f"{json.dumps(kind)}:{json.dumps(types[kind], separators=(',', ':'))}"
        for kind in sorted(types)
    )
    return f'{{"source":{json.dumps(source)},\n"types":{{\n{lines}\n}}}}\n'


def main() -> int:
    """Write the file, or compare it."""
    if "--take" in sys.argv[1:]:
        take(Path(sys.argv[-1]))
    wanted = content()
    if "--check" in sys.argv[1:]:
        if FILE.read_text(encoding="utf-8") == wanted:
            return 0
        print(f"{FILE} is not what LocalStack's schemas come to: make schemas", file=sys.stderr)
        return 1
    FILE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

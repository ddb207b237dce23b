"""From functions, triggers and resources to one list of CloudFormation resources.

The result is what the Serverless Framework's own packaging produces, less what only a deployment
through CloudFormation needs (its bucket, and versions that nothing uses); a test compares the two.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from bootstrap.definition import naming
from bootstrap.definition.document import Document, KeyPath
from bootstrap.definition.events import EVENT_TYPES
from bootstrap.definition.model import Function, Service, collect_service, known_runtimes
from bootstrap.definition.requirements import LAYER_ID, PLUGIN, PythonRequirements
from bootstrap.errors import did_you_mean
from bootstrap.packaging import NODE_SUFFIXES
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.exports import EXPORT
from bootstrap.services.shapes import is_function
from bootstrap.template import Resource, Template, function_problem
from bootstrap.typescript import source_of

#: The runtimes that the engine has.
_RUN_HERE = ("python3", "nodejs", "provided")
_OTHER_RUNTIMES = {
    "go1.x": " AWS no longer has it, either: build a program of the name bootstrap, and write"
    " provided.al2023."
}


def compile_template(document: Document) -> Template:
    """Turn a document, its variables resolved, into resources.

    Raises:
        DefinitionErrors: everything that cannot be created, with its line.
    """
    service = collect_service(document)
    template = Template(
        service=service.service,
        region=service.provider.region,
        stage=service.provider.stage,
        document=document,
    )
    for key in service.layers:
        with document.collecting():
            _compile_layer(key, service, template)
    packages = PythonRequirements.none(document)
    with document.collecting():
        packages = PythonRequirements(document, service.custom)
        provider = service.provider
        if layer := packages.layer(service.service, provider.stage, provider.runtime):
            path = ("custom", "pythonRequirements", "layer")
            template.add(Resource(LAYER_ID, "AWS::Lambda::LayerVersion", layer, path))
    if service.functions:
        with document.collecting():
            template.add(_role(service))
    for key, function in service.functions.items():
        with document.collecting():
            _compile_function(key, function, service, template, packages)
    _compile_triggers(service, template)
    _compile_resources(service, template)
    for logical_id, change in service.resources.extensions.items():
        with document.collecting():
            _extend(logical_id, change, template)
    for name, body in service.resources.Outputs.items():
        with document.collecting():
            _compile_export(name, body, template)
    document.refuse(template)
    return template


def _compile_export(name: str, body: Any, template: Template) -> None:
    """An output that other projects import (CloudFormation, "Fn::ImportValue")."""
    if not isinstance(body, dict) or "Export" not in body:
        return
    path = ("resources", "Outputs", name)
    export = body["Export"]
    if not isinstance(export, dict) or "Name" not in export or "Value" not in body:
        template.document.fail(f"{name}: Export takes a Name, and the output a Value.", *path)
    properties = {"Name": export["Name"], "Value": body["Value"]}
    template.add(Resource(f"{name}Export", EXPORT, properties, path))


def _compile_triggers(service: Service, template: Template) -> None:
    document = template.document
    for trigger in list(service.triggers):
        with document.collecting():
            trigger.type.check(trigger, service, document)
            continue
        service.triggers.remove(trigger)  # nothing can be made of it
    for event_type in EVENT_TYPES.values():
        triggers = [trigger for trigger in service.triggers if trigger.type is event_type]
        with document.collecting():
            for resource in event_type.permissions(triggers, service):
                template.add(resource)
        with document.collecting():
            for resource in event_type.resources(triggers, service, document):
                template.add(resource)


def _compile_layer(key: str, service: Service, template: Template) -> None:
    layer = service.layers[key]
    path = ("layers", key, "path")
    folder = template.document.root / layer.path
    if not folder.is_dir() or not any(folder.iterdir()):
        template.document.fail(
            f"layers.{key}: the folder {layer.path} is missing or empty. Build it: make layer.",
            *path,
        )
    properties: dict[str, Any] = {
        "Content": {"Folder": str(folder)},
        "LayerName": layer.name or key,
    }
    if layer.description:
        properties["Description"] = layer.description
    if layer.compatibleRuntimes:
        properties["CompatibleRuntimes"] = layer.compatibleRuntimes
    if layer.compatibleArchitectures:
        properties["CompatibleArchitectures"] = layer.compatibleArchitectures
    template.add(
        Resource(naming.layer_id(key), "AWS::Lambda::LayerVersion", properties, ("layers", key))
    )


def _role(service: Service) -> Resource:
    # One pattern covers the functions that are named after the service and the stage.
    prefix = f"{service.service}-{service.provider.stage}"
    every = [service.function_name(key) for key in service.functions]
    names = [name for name in every if not name.startswith(prefix)]
    if len(names) < len(every):
        names.append(f"{prefix}*")
    logs = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/"
    statements: list[dict[str, Any]] = [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:CreateLogGroup", "logs:TagResource"],
            "Resource": [{"Fn::Sub": f"{logs}{name}:*"} for name in names],
        },
        {
            "Effect": "Allow",
            "Action": ["logs:PutLogEvents"],
            "Resource": [{"Fn::Sub": f"{logs}{name}:*:*"} for name in names],
        },
        *service.provider.iam.role.statements,
    ]
    for key, function in service.functions.items():
        if isinstance(function.onError, str):
            allowed = {"Effect": "Allow", "Action": ["sns:Publish"], "Resource": [function.onError]}
            statements.append(allowed)
        if function.destinations:
            statements += function.destinations.role_statements(service.function_name)
        for event_type in EVENT_TYPES.values():
            own = [t for t in service.triggers if t.key == key and t.type is event_type]
            statements += event_type.role_statements(own)
    principals = ["lambda.amazonaws.com"]
    for event_type in EVENT_TYPES.values():
        triggers = [trigger for trigger in service.triggers if trigger.type is event_type]
        principals += event_type.role_principals(triggers)
        statements += event_type.shared_role_statements(triggers)
    properties = {
        "RoleName": {
            "Fn::Join": [
                "-",
                [service.service, service.provider.stage, {"Ref": "AWS::Region"}, "lambdaRole"],
            ]
        },
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": principals},
                    "Action": ["sts:AssumeRole"],
                }
            ],
        },
        "Policies": [
            {
                "PolicyName": f"{service.service}-{service.provider.stage}-lambda",
                "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
            }
        ],
    }
    return Resource(naming.ROLE_ID, "AWS::IAM::Role", properties, ("provider", "iam"))


def _runtime(key: str, function: Function, service: Service, document: Document) -> str:
    """The runtime of a function, which AWS and the engine have."""
    path = ("functions", key)
    runtime = function.runtime or service.provider.runtime
    if runtime is None:
        document.fail(f"functions.{key}: runtime is missing: set provider.runtime.", *path)
    owner = (*path, "runtime") if function.runtime else ("provider", "runtime")
    if runtime not in known_runtimes():
        families = [r for r in known_runtimes() if r.startswith(_RUN_HERE)]
        document.fail(
            f"{'.'.join(owner[:2])}: “{runtime}” is not a Lambda runtime. "
            f"Known: {', '.join(families)}.{did_you_mean(runtime, families)}",
            *owner,
        )
    if not runtime.startswith(_RUN_HERE):
        document.fail(
            f"functions.{key}: the runtime {runtime} is not run here: python3.*, nodejs*.x and"
            f" provided* are.{_OTHER_RUNTIMES.get(runtime, '')}",
            *owner,
        )
    return runtime


def _compile_function(
    key: str,
    function: Function,
    service: Service,
    template: Template,
    packages: PythonRequirements,
) -> None:
    path = ("functions", key)
    provider = service.provider
    runtime = _runtime(key, function, service, template.document)
    name = service.function_name(key)
    log_group = provider.log_group(f"/aws/lambda/{name}", function.logRetentionInDays)
    template.add(Resource(naming.log_group_id(key), "AWS::Logs::LogGroup", log_group, path))

    properties: dict[str, Any] = {
        "Code": _code(key, function, service, template, packages),
        "Handler": function.handler,
        "Runtime": runtime,
        "FunctionName": name,
        "MemorySize": function.memorySize or provider.memorySize,
        "Timeout": function.timeout or provider.timeout,
        "Role": {"Fn::GetAtt": [naming.ROLE_ID, "Arn"]},
    }
    variables = {**provider.environment, **function.environment}
    if given := {name: value for name, value in variables.items() if value is not None}:
        properties["Environment"] = {"Variables": given}
    if function.description:
        properties["Description"] = function.description
    if "layers" in function.model_fields_set:
        properties["Layers"] = function.layers
    if architecture := function.architecture or provider.architecture:
        properties["Architectures"] = [architecture]
    if function.onError is not None:
        properties["DeadLetterConfig"] = {"TargetArn": function.onError}
    if function.ephemeralStorageSize:
        properties["EphemeralStorage"] = {"Size": function.ephemeralStorageSize}
    if function.reservedConcurrency is not None:
        properties["ReservedConcurrentExecutions"] = function.reservedConcurrency
    if tags := {**provider.tags, **function.tags}:
        properties["Tags"] = [{"Key": k, "Value": v} for k, v in tags.items()]
    for event_type in EVENT_TYPES.values():
        own = [t for t in service.triggers if t.key == key and t.type is event_type]
        if own:
            properties = event_type.function_properties(own, function, properties)
    template.add(
        Resource(
            naming.function_id(key),
            "AWS::Lambda::Function",
            properties,
            path,
            (naming.log_group_id(key),),
        )
    )
    _compile_invoke_config(key, function, template)


def _code(
    key: str,
    function: Function,
    service: Service,
    template: Template,
    packages: PythonRequirements,
) -> dict[str, Any]:
    """What the function's package is made of: files, or an archive that is there already."""
    root = template.document.root
    own = function.package.artifact
    artifact = own or (None if function.package.individually else service.package.artifact)
    if artifact is None:
        code: dict[str, Any] = {"Root": str(root), "Patterns": _patterns(service, function)}
        module = _module(key, function, service, template, packages)
        if module:
            code["Module"] = module
        runtime = function.runtime or service.provider.runtime or ""
        if source := packages.of_function(runtime, module, function.vendor):
            code["Requirements"] = source
        if application := packages.application(function.handler):
            code["Wsgi"] = application
        if runtime.startswith("nodejs") and (script := _typescript(root, function.handler)):
            code["TypeScript"] = script
            said = f"{script} is bundled with esbuild; with what package.patterns name beside it"
            template.document.note(said, "functions", key, "handler")
        return code
    if not (root / artifact).is_file():
        path = ("functions", key, "package") if own else ("package",)
        template.document.fail(
            f"functions.{key}: there is no {artifact}. Build it before.", *path, "artifact"
        )
    return {"Archive": str(root / artifact)}


def _typescript(root: Path, handler: str) -> str | None:
    """The TypeScript file of a handler that has no JavaScript beside it."""
    module = handler.rpartition(".")[0]
    if not module or any((root / f"{module}{suffix}").is_file() for suffix in NODE_SUFFIXES):
        return None
    return source_of(root, module)


def _module(
    key: str,
    function: Function,
    service: Service,
    template: Template,
    packages: PythonRequirements,
) -> str | None:
    """The folder that alone is in the function's package, at its top; None: the project's."""
    for name in ("module", "vendor"):
        if getattr(function, name) is not None and not packages.used:
            template.document.fail(
                f"functions.{key}.{name} is a setting of {PLUGIN}, which is not among plugins.",
                *("functions", key, name),
            )
    individually = service.package.individually or function.package.individually
    if function.module in (None, ".") or not individually:
        return None
    module = function.module.strip("/").removeprefix("./")
    if not (template.document.root / module).is_dir():
        template.document.fail(
            f"functions.{key}: there is no folder {module}.", "functions", key, "module"
        )
    return module


def _patterns(service: Service, function: Function) -> list[str]:
    """Without ``individually`` all functions share a package, picked by the service's patterns."""
    if not (service.package.individually or function.package.individually):
        return service.package.patterns
    return [*service.package.patterns, *function.package.patterns]


def _compile_invoke_config(key: str, function: Function, template: Template) -> None:
    configured = (function.destinations, function.maximumEventAge, function.maximumRetryAttempts)
    if all(value is None for value in configured):
        return
    properties: dict[str, Any] = {
        "FunctionName": {"Ref": naming.function_id(key)},
        "DestinationConfig": function.destinations.config() if function.destinations else {},
        "Qualifier": "$LATEST",
    }
    if function.maximumEventAge is not None:
        properties["MaximumEventAgeInSeconds"] = function.maximumEventAge
    if function.maximumRetryAttempts is not None:
        properties["MaximumRetryAttempts"] = function.maximumRetryAttempts
    template.add(
        Resource(
            f"{naming.normalized(key)}LambdaEvConf",
            "AWS::Lambda::EventInvokeConfig",
            properties,
            ("functions", key),
        )
    )


def _compile_resources(service: Service, template: Template) -> None:
    allowed = {"Type", "Properties", "DependsOn", *_LEFT_ALONE}
    for logical_id, body in service.resources.Resources.items():
        path = ("resources", "Resources", logical_id)
        for key in body:
            if key not in allowed:
                with template.document.collecting():
                    template.document.fail(
                        f"{logical_id}.{key} is not supported here. Supported: "
                        f"{', '.join(sorted(allowed))}.{did_you_mean(key, allowed)}",
                        *path,
                        key,
                    )
        with template.document.collecting():
            _compile_resource(logical_id, body, path, service, template)


def _compile_resource(
    logical_id: str,
    body: dict[str, Any],
    path: KeyPath,
    service: Service,
    template: Template,
) -> None:
    made = template.resources.get(logical_id)
    kind, properties = body.get("Type", made and made.type), body.get("Properties")
    here = (*path, "Properties")
    properties = {} if properties is None else _without_null(properties, here, template.document)
    if not isinstance(kind, str) or not isinstance(properties, dict):
        template.document.fail(
            f"{logical_id} needs a Type (text) and Properties (a mapping).", *path
        )
    for event_type in EVENT_TYPES.values():
        if problem := event_type.resource_problem(kind, properties):
            name, sentence = problem
            template.document.fail(sentence, *path, "Properties", name)
    depends = body.get("DependsOn", [])
    depends = [depends] if isinstance(depends, str) else depends
    if not isinstance(depends, list) or not all(isinstance(name, str) for name in depends):
        template.document.fail(
            f"{logical_id}.DependsOn must be a logical id or a list of them.",
            *path,
            "DependsOn",
        )
    if made is not None and made.type == kind:
        del template.resources[logical_id]
        named = _merged(made.properties, properties)
        depends = [*made.depends_on, *depends]
    else:
        named = {**_generated_name(logical_id, kind, properties, service), **properties}
    named = _converted(kind, named)
    template.add(Resource(logical_id, kind, named, path, tuple(depends)))


def _without_null(node: Any, path: KeyPath, document: Document) -> Any:
    """Properties without those that are ``null``, as the framework leaves them out.

    A pattern is left as it is: without a key it would match more.
    """
    if isinstance(node, list):
        return [_without_null(item, (*path, i), document) for i, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    for key in [key for key, value in node.items() if value is None]:
        document.note("is nothing: it is left out, as by the framework", *path, key)
    return {
        key: value if key == "EventPattern" else _without_null(value, (*path, key), document)
        for key, value in node.items()
        if value is not None
    }


def _converted(kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    known = RESOURCE_TYPES.get(kind)
    return known.converted(properties) if known else properties


#: Attributes of a resource beside its properties that the bootstrap leaves to CloudFormation.
_LEFT_ALONE = (
    *("CreationPolicy", "DeletionPolicy", "Metadata", "UpdatePolicy", "UpdateReplacePolicy"),
)


def _extend(logical_id: str, change: dict[str, Any], template: Template) -> None:
    """Change a resource that the triggers make (guide, "Override AWS CloudFormation resource")."""
    document, path = template.document, ("resources", "extensions", logical_id)
    made = template.resources.get(logical_id)
    if made is None:
        document.fail(
            f"resources.extensions.{logical_id}: there is no such resource. There is:"
            f" {', '.join(sorted(template.resources))}."
            f"{did_you_mean(logical_id, template.resources)}",
            *path,
        )
    properties, depends = made.properties, made.depends_on
    for name, value in change.items():
        if name == "Properties" and isinstance(value, dict):
            properties = {**properties, **value}
        elif name == "DependsOn":
            names = value if isinstance(value, list) else [value]
            if not all(isinstance(one, str) for one in names):
                document.fail(
                    f"resources.extensions.{logical_id}.DependsOn takes a logical id, or a list"
                    " of them.",
                    *(*path, name),
                )
            depends = (*depends, *names)
        elif name not in _LEFT_ALONE:
            supported = ", ".join(("Properties", "DependsOn", *_LEFT_ALONE))
            document.fail(
                f"resources.extensions.{logical_id}.{name} is not supported here. Supported:"
                f" {supported}.{did_you_mean(name, supported.split(', '))}",
                *(*path, name),
            )
    if problem := function_problem(properties):
        document.fail(f"resources.extensions.{logical_id}: {problem}", *path)
    properties = _converted(made.type, properties)
    template.resources[logical_id] = replace(made, properties=properties, depends_on=depends)


def _merged(made: Any, described: Any) -> Any:
    """What triggers made, with what the file says of it, which counts more."""
    if isinstance(made, list) and isinstance(described, list):
        both = [_merged(old, new) for old, new in zip(made, described, strict=False)]
        return [*both, *made[len(both) :], *described[len(both) :]]
    if not isinstance(made, dict) or not isinstance(described, dict) or is_function(described):
        return described
    return {
        key: _merged(made[key], described[key])
        if key in made and key in described
        else {**made, **described}[key]
        for key in {**made, **described}
    }


#: The property that names a resource, where CloudFormation makes a name up when it is missing.
_NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}
_LONGEST_NAME = {"Name": 32, "RoleName": 64, "BucketName": 63, "QueueName": 80}


def _generated_name(
    logical_id: str, kind: str, properties: dict[str, Any], service: Service
) -> dict[str, str]:
    """A name for a resource that has none: always the same, unlike CloudFormation's."""
    name = _NAMES.get(kind)
    if name is None or name in properties:
        return {}
    text = f"{service.service}-{service.provider.stage}-{logical_id}"
    if kind == "AWS::S3::Bucket":
        text = text.lower()
    fifo = ".fifo" if properties.get("FifoQueue") is True or properties.get("FifoTopic") else ""
    longest = _LONGEST_NAME.get(name, 128) - len(fifo)
    if len(text) > longest:  # the end tells resources of one service apart
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        text = f"{text[: longest - 9]}-{digest}"
    return {name: text + fifo}

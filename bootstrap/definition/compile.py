"""From functions, triggers and resources to one list of CloudFormation resources.

The result is what the Serverless Framework's own packaging produces, less what only a deployment
through CloudFormation needs (its bucket and function versions); a test compares the two.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events import compile_event
from bootstrap.definition.events.http_api import compile_api
from bootstrap.definition.events.s3 import compile_buckets
from bootstrap.definition.model import Function, Service, known_runtimes, parse_service
from bootstrap.packaging import picks
from bootstrap.template import Resource, Template

ROLE_ID = "IamRoleLambdaExecution"


def compile_template(document: Document) -> Template:
    """Turn a document, its variables resolved, into resources.

    Raises:
        DefinitionError: anything that cannot be created, with its line.
    """
    service = parse_service(document)
    template = Template(
        service=service.service,
        region=service.provider.region,
        stage=service.provider.stage,
        document=document,
    )
    for key in service.layers:
        _compile_layer(key, service, template)
    if service.functions:
        template.add(_role(service))
    for key, function in service.functions.items():
        _compile_function(key, function, service, template)
    compile_api(service, template)
    for key, function in service.functions.items():
        for index, event in enumerate(function.events):
            compile_event(key, index, event, service, template)
    compile_buckets(service, template)
    _compile_resources(service, template)
    return template


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
    names = [function.name for function in service.functions.values() if function.name]
    if len(names) < len(service.functions):
        names.append(f"{service.service}-{service.provider.stage}*")
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
    actions = {
        "sqs": "sqs:SendMessage",
        "sns": "sns:Publish",
        "eventBus": "events:PutEvents",
        "function": "lambda:InvokeFunction",
    }
    for function in service.functions.values():
        for target in _destinations(function):
            statements.append(
                {"Effect": "Allow", "Action": actions[target.type], "Resource": target.arn}
            )
        if queues := [
            event["sqs"]["arn"] if isinstance(event["sqs"], dict) else event["sqs"]
            for event in function.events
            if "sqs" in event and (isinstance(event["sqs"], str) or "arn" in (event["sqs"] or ()))
        ]:
            statements.append(
                {
                    "Effect": "Allow",
                    "Action": [
                        "sqs:ReceiveMessage",
                        "sqs:DeleteMessage",
                        "sqs:GetQueueAttributes",
                    ],
                    "Resource": queues,
                }
            )
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
                    "Principal": {"Service": ["lambda.amazonaws.com"]},
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
    return Resource(ROLE_ID, "AWS::IAM::Role", properties, ("provider", "iam"))


def _destinations(function: Function) -> list[Any]:
    targets = function.destinations
    return [t for t in (targets.onSuccess, targets.onFailure) if t] if targets else []


def _compile_function(key: str, function: Function, service: Service, template: Template) -> None:
    path = ("functions", key)
    provider = service.provider
    runtime = function.runtime or provider.runtime
    if runtime is None:
        template.document.fail(f"functions.{key}: runtime is missing: set provider.runtime.", *path)
    if runtime not in known_runtimes():
        owner = (*path, "runtime") if function.runtime else ("provider", "runtime")
        families = [r for r in known_runtimes() if r.startswith(("python3", "nodejs", "provided"))]
        template.document.fail(
            f"functions.{key}: “{runtime}” is not a Lambda runtime. Known: {', '.join(families)}.",
            *owner,
        )
    patterns = _patterns(service, function)
    _check_handler(key, function, runtime, patterns, template.document)
    name = function.name or f"{service.service}-{provider.stage}-{key}"
    log_group: dict[str, Any] = {"LogGroupName": f"/aws/lambda/{name}"}
    if provider.logRetentionInDays:
        log_group["RetentionInDays"] = provider.logRetentionInDays
    template.add(Resource(naming.log_group_id(key), "AWS::Logs::LogGroup", log_group, path))

    properties: dict[str, Any] = {
        "Code": {
            "Root": str(template.document.root),
            "Patterns": patterns,
        },
        "Handler": function.handler,
        "Runtime": runtime,
        "FunctionName": name,
        "MemorySize": function.memorySize or provider.memorySize,
        "Timeout": function.timeout or provider.timeout,
        "Role": {"Fn::GetAtt": [ROLE_ID, "Arn"]},
    }
    variables = {**provider.environment, **function.environment}
    if variables:
        properties["Environment"] = {"Variables": variables}
    if function.description:
        properties["Description"] = function.description
    if function.layers:
        properties["Layers"] = function.layers
    if provider.architecture:
        properties["Architectures"] = [provider.architecture]
    if function.ephemeralStorageSize:
        properties["EphemeralStorage"] = {"Size": function.ephemeralStorageSize}
    if function.reservedConcurrency is not None:
        properties["ReservedConcurrentExecutions"] = function.reservedConcurrency
    if tags := {**provider.tags, **function.tags}:
        properties["Tags"] = [{"Key": k, "Value": v} for k, v in tags.items()]
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


def _patterns(service: Service, function: Function) -> list[str]:
    """Without ``individually`` all functions share a package, picked by the service's patterns."""
    if not (service.package.individually or function.package.individually):
        return service.package.patterns
    return [*service.package.patterns, *function.package.patterns]


def _compile_invoke_config(key: str, function: Function, template: Template) -> None:
    configured = (function.destinations, function.maximumEventAge, function.maximumRetryAttempts)
    if all(value is None for value in configured):
        return
    destinations: dict[str, Any] = {}
    if function.destinations and function.destinations.onSuccess:
        destinations["OnSuccess"] = {"Destination": function.destinations.onSuccess.arn}
    if function.destinations and function.destinations.onFailure:
        destinations["OnFailure"] = {"Destination": function.destinations.onFailure.arn}
    properties: dict[str, Any] = {
        "FunctionName": {"Ref": naming.function_id(key)},
        "DestinationConfig": destinations,
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


def _check_handler(
    key: str, function: Function, runtime: str, patterns: list[str], document: Document
) -> None:
    path = ("functions", key, "handler")
    if runtime.startswith("provided"):
        return
    module, _, name = function.handler.rpartition(".")
    if not module:
        document.fail(
            f"functions.{key}: the handler “{function.handler}” must be "
            f"<path of the file without its ending>.<name of the function>.",
            *path,
        )
    suffixes = [".py"] if runtime.startswith("python") else [".js", ".mjs", ".cjs"]
    files = [document.root / f"{module}{suffix}" for suffix in suffixes]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        document.fail(
            f"functions.{key}: there is no {' or '.join(f'{module}{s}' for s in suffixes)} "
            f"for the handler “{function.handler}”.",
            *path,
        )
    if not picks(found.relative_to(document.root).as_posix(), patterns):
        document.fail(
            f"functions.{key}: package.patterns leave out {module}{found.suffix}, the file of its "
            "handler. Add a pattern for it after the others (a function's own patterns count with "
            "package.individually: true).",
            *path,
        )
    if found.suffix == ".py" and not _defines(found, name, document, path):
        document.fail(
            f"functions.{key}: {module}.py has no function “{name}” at its top level.", *path
        )


def _defines(file: Path, name: str, document: Document, path: tuple[str, ...]) -> bool:
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except (SyntaxError, ValueError) as error:
        place = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        document.fail(
            f"{'.'.join(path[:2])}: {file.relative_to(document.root)}{place} is not valid Python "
            f"({getattr(error, 'msg', error)}).",
            *path,
        )
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return True
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in node.targets
        ):
            return True
        if isinstance(node, ast.ImportFrom | ast.Import) and any(
            (alias.asname or alias.name) in (name, "*") for alias in node.names
        ):
            return True
    return False


def _compile_resources(service: Service, template: Template) -> None:
    allowed = {"Type", "Properties", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy"}
    for logical_id, body in service.resources.Resources.items():
        path = ("resources", "Resources", logical_id)
        for key in body:
            if key not in allowed:
                template.document.fail(
                    f"{logical_id}.{key} is not supported here. Supported: "
                    f"{', '.join(sorted(allowed))}.",
                    *path,
                    key,
                )
        kind, properties = body.get("Type"), body.get("Properties", {})
        if not isinstance(kind, str) or not isinstance(properties, dict):
            template.document.fail(
                f"{logical_id} needs a Type (text) and Properties (a mapping).", *path
            )
        depends = body.get("DependsOn", [])
        depends = [depends] if isinstance(depends, str) else depends
        if not isinstance(depends, list) or not all(isinstance(name, str) for name in depends):
            template.document.fail(
                f"{logical_id}.DependsOn must be a logical id or a list of them.",
                *path,
                "DependsOn",
            )
        template.add(
            Resource(
                logical_id,
                kind,
                properties,
                path,
                tuple(depends),
            )
        )

"""CloudFormation's conditions, mappings and parameters, worked out before anything is created.

AWS CloudFormation User Guide, "Condition functions", "Mappings", "Parameters" and "Fn::FindInMap
enhancements": what they depend on (parameters' defaults, region, account, stage) is known here.
What is left after it are references to resources, which :mod:`bootstrap.template` resolves.
"""

from __future__ import annotations

import re
from typing import Any, Final

from bootstrap.definition.document import Document, KeyPath
from bootstrap.definition.scalars import as_text
from bootstrap.definition.variable_sources import MISSING, SourceError, parameter
from bootstrap.template import function_problem, resolve

_ACCOUNT: Final = "000000000000"
_NO_VALUE: Final = object()
_MAX_DEPTH: Final = 64
_SUB: Final = re.compile(r"\$\{([A-Za-z0-9]+)\}")
#: Types of parameters whose default is the name of a parameter of the Parameter Store.
_STORED: Final = "AWS::SSM::Parameter::Value<"


def evaluate(document: Document) -> None:
    """Replace conditions, mappings and parameters in ``document.data``, in place.

    Resources whose condition does not hold are taken out.

    Raises:
        DefinitionError: Something that is not defined, or depends on a resource.
    """
    resources = document.data.get("resources")
    resources = resources if isinstance(resources, dict) else {}
    evaluator = _Evaluator(document, resources)
    _drop_functions(document, evaluator)
    for name in ("provider", "functions"):
        part = document.data.get(name)
        if isinstance(part, dict):
            for key in list(part):
                with document.collecting():
                    value = evaluator.value(part[key], (name, key))
                    if value is _NO_VALUE:
                        del part[key]
                    else:
                        part[key] = value
                    continue
                evaluator.under_way.clear()
                document.unknown.add((name, key))
        elif name in document.data:
            value = evaluator.value(part, (name,))
            document.data[name] = None if value is _NO_VALUE else value
    for part in ("Resources", "Outputs"):
        bodies = resources.get(part)
        if not isinstance(bodies, dict):
            continue
        for logical_id in list(bodies):
            path: KeyPath = ("resources", part, logical_id)
            body = bodies[logical_id]
            condition = body.pop("Condition", None) if isinstance(body, dict) else None
            with document.collecting():
                holds = condition is None or evaluator.condition(condition, (*path, "Condition"))
                if not holds:
                    del bodies[logical_id]
                    continue
                value = evaluator.value(body, path)
                bodies[logical_id] = {} if value is _NO_VALUE else value
                continue
            evaluator.under_way.clear()
            document.unknown.add(path)
    for name in ("Parameters", "Mappings", "Conditions"):
        resources.pop(name, None)


def _drop_functions(document: Document, evaluator: _Evaluator) -> None:
    """Take out the functions whose ``condition`` (guide, "Functions") does not hold."""
    functions = _mapping(document.data.get("functions"))
    for key, function in list(functions.items()):
        condition = function.pop("condition", None) if isinstance(function, dict) else None
        if condition is None:
            continue
        path: KeyPath = ("functions", key, "condition")
        with document.collecting():
            if not evaluator.condition(condition, path):
                document.note("does not hold: the function is not made", *path)
                del functions[key]


class _Evaluator:
    def __init__(self, document: Document, resources: dict[str, Any]) -> None:
        self.document = document
        self.conditions = _mapping(resources.get("Conditions"))
        self.mappings = _mapping(resources.get("Mappings"))
        self.parameters = _mapping(resources.get("Parameters"))
        provider = _mapping(document.data.get("provider"))
        service = document.data.get("service")
        self.pseudo = {
            "AWS::AccountId": _ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": str(provider.get("region") or "us-east-1"),
            "AWS::StackName": f"{service}-{provider.get('stage') or 'dev'}",
            "AWS::URLSuffix": "amazonaws.com",
        }
        self.under_way: list[str] = []

    def value(self, node: Any, path: KeyPath) -> Any:
        """A value with everything replaced that is known now."""
        if len(path) > _MAX_DEPTH:
            self.document.fail("is nested too deeply.", *path)
        if isinstance(node, list):
            items = [self.value(item, (*path, index)) for index, item in enumerate(node)]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((key, argument),) = node.items()
            if key == "Ref" and argument == "AWS::NoValue":
                return _NO_VALUE
            if key == "Ref" and isinstance(argument, str) and argument in self.parameters:
                return self.parameter(argument, path)
            if key == "Fn::If":
                return self.chosen(argument, (*path, key))
            if key == "Fn::FindInMap":
                return self.found(argument, (*path, key))
            if key == "Fn::Sub" and self.parameters:
                argument = self.substituted(argument, path)
                node = {key: argument}
        result = {key: self.value(item, (*path, key)) for key, item in node.items()}
        return {key: item for key, item in result.items() if item is not _NO_VALUE}

    def chosen(self, argument: Any, path: KeyPath) -> Any:
        if not isinstance(argument, list) or len(argument) != 3:
            self.document.fail("Fn::If takes [<condition>, <value>, <other value>].", *path)
        name, yes, no = argument
        return self.value(yes if self.condition(name, path) else no, path)

    def found(self, argument: Any, path: KeyPath) -> Any:
        if not isinstance(argument, list) or len(argument) not in (3, 4):
            self.document.fail("Fn::FindInMap takes [<map>, <key>, <second key>].", *path)
        names = [self.known(part, path) for part in argument[:3]]
        default = argument[3] if len(argument) == 4 else None
        node: Any = self.mappings
        for name in names:
            if not isinstance(node, dict) or name not in node:
                if isinstance(default, dict) and "DefaultValue" in default:
                    return self.value(default["DefaultValue"], path)
                known = ", ".join(map(str, node)) if isinstance(node, dict) and node else "none"
                self.document.fail(
                    f"Fn::FindInMap: {'.'.join(names)}: there is no {name}. There is: {known}.",
                    *path,
                )
            node = node[name]
        return node

    def substituted(self, argument: Any, path: KeyPath) -> Any:
        """What ``Fn::Sub`` takes, with parameters' values in its text."""
        text, *more = argument if isinstance(argument, list) else [argument]
        own = more[0] if more and isinstance(more[0], dict) else {}
        if not isinstance(text, str):
            return argument

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in own or name not in self.parameters:
                return match[0]
            return as_text(self.parameter(name, path))

        text = _SUB.sub(value, text)
        return [text, *more] if isinstance(argument, list) else text

    def parameter(self, name: str, path: KeyPath) -> Any:
        body = _mapping(self.parameters[name])
        if "Default" not in body:
            self.document.fail(
                f"the parameter {name} has no Default, and nothing gives it a value.", *path
            )
        default, kind = body["Default"], str(body.get("Type", ""))
        if kind.startswith(_STORED):
            default = self.stored(name, str(default), path)
            kind = kind.removeprefix(_STORED)
        if isinstance(default, list) or not kind.startswith(("List<", "CommaDelimited")):
            return default
        return [part.strip() for part in str(default).split(",")]

    def stored(self, name: str, default: str, path: KeyPath) -> Any:
        """The value that a parameter has in the Parameter Store of the running stack."""
        try:
            value = parameter(self.pseudo["AWS::Region"], default)
        except SourceError as error:
            self.document.fail(f"the parameter {name}: {error}.", *path)
        if value is MISSING:
            self.document.fail(
                f"the parameter {name} is of the Parameter Store, and the running stack has no"
                f" {default}. Put it there: awslocal ssm put-parameter --name {default} --type"
                " String --value <value>",
                *path,
            )
        return value

    def known(self, node: Any, path: KeyPath) -> str:
        """A text that must be known before anything is created."""
        value = self.value(node, path)
        if isinstance(value, dict):
            if problem := function_problem(value):
                self.document.fail(problem, *path)
            try:
                value = resolve(value, {}, self.pseudo)
            except LookupError:
                value = _NO_VALUE
        if isinstance(value, dict | list) or value is _NO_VALUE:
            self.document.fail(
                "must not depend on a resource: conditions are decided first.", *path
            )
        return as_text(value)

    def condition(self, node: Any, path: KeyPath) -> bool:
        """Whether a condition holds.

        Args:
            node: Its name, or one of the condition functions.
        """
        if isinstance(node, str):
            return self.named(node, path)
        if not isinstance(node, dict) or len(node) != 1:
            self.document.fail("is no condition.", *path)
        ((key, argument),) = node.items()
        parts = argument if isinstance(argument, list) else [argument]
        match key:
            case "Condition":
                return self.named(str(argument), path)
            case "Fn::Equals" if len(parts) == 2:
                return self.known(parts[0], path) == self.known(parts[1], path)
            case "Fn::Not" if len(parts) == 1:
                return not self.condition(parts[0], path)
            case "Fn::And":
                return all(self.condition(part, path) for part in parts)
            case "Fn::Or":
                return any(self.condition(part, path) for part in parts)
        self.document.fail(f"{key} is no condition.", *path)
        return False

    def named(self, name: str, path: KeyPath) -> bool:
        if name not in self.conditions:
            known = ", ".join(self.conditions) or "none"
            self.document.fail(f"there is no condition {name}. Defined: {known}.", *path)
        if name in self.under_way:
            self.document.fail(f"the condition {name} refers to itself.", *path)
        self.under_way.append(name)
        holds = self.condition(self.conditions[name], ("resources", "Conditions", name))
        self.under_way.pop()
        return holds


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

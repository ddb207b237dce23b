"""CloudFormation's conditions, mappings and parameters, as it decides them before it creates.

Written from the AWS CloudFormation User Guide ("Condition functions", "Mappings", "Parameters"),
apart from the bootstrap's reading: the two are compared.
"""

from __future__ import annotations

from typing import Any


def decided(template: dict[str, Any], pseudo: dict[str, str]) -> dict[str, Any]:
    """The resources of a template whose conditions hold, without functions that are known.

    Args:
        pseudo: values of the pseudo parameters.
    """
    return {
        name: {key: filled(value, template, pseudo) for key, value in body.items()}
        for name, body in template["Resources"].items()
        if "Condition" not in body or holds({"Condition": body["Condition"]}, template, pseudo)
    }


def holds(condition: dict[str, Any], template: dict[str, Any], pseudo: dict[str, str]) -> bool:
    """Whether a condition function is true."""
    ((function, argument),) = condition.items()
    if function == "Condition":
        return holds(template["Conditions"][argument], template, pseudo)
    if function == "Fn::Equals":
        left, right = (filled(one, template, pseudo) for one in argument)
        return as_text(left, pseudo) == as_text(right, pseudo)
    parts = [holds(one, template, pseudo) for one in argument]
    return {"Fn::Not": not parts[0], "Fn::And": all(parts), "Fn::Or": any(parts)}[function]


def as_text(value: Any, pseudo: dict[str, str]) -> Any:
    """A value, or that of the pseudo parameter that it refers to."""
    return pseudo[value["Ref"]] if isinstance(value, dict) else value


NO_VALUE = {"Ref": "AWS::NoValue"}


def filled(node: Any, template: dict[str, Any], pseudo: dict[str, str]) -> Any:
    """A value without ``Fn::If``, ``Fn::FindInMap``, parameters and ``AWS::NoValue``."""
    if isinstance(node, list):
        items = [filled(one, template, pseudo) for one in node]
        return [one for one in items if one != NO_VALUE]
    if not isinstance(node, dict):
        return node
    if "Fn::If" in node:
        name, yes, no = node["Fn::If"]
        return filled(yes if holds({"Condition": name}, template, pseudo) else no, template, pseudo)
    if "Fn::FindInMap" in node:
        found: Any = template["Mappings"]
        for key in node["Fn::FindInMap"]:
            found = found[as_text(key, pseudo)]
        return found
    if (parameter := template.get("Parameters", {}).get(node.get("Ref"))) is not None:
        default: str = parameter["Default"]
        return default.split(",") if parameter["Type"] == "CommaDelimitedList" else default
    items = {key: filled(value, template, pseudo) for key, value in node.items()}
    return {key: value for key, value in items.items() if value != NO_VALUE}

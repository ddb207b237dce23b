"""Mapping templates call the methods of Java's values, and calculate as Velocity does.

What: ``NameOrCall.calculate`` of airspeed, the template language, is wrapped: in a template of API
Gateway a text, number, boolean, list or map has the methods and properties that Java gives it
(``services/apigateway/java_values.py``). ``value_to_string`` of airspeed writes lists and maps as
Java does. Its table of operators has Velocity's (``services/apigateway/velocity_operators.py``),
and ``#foreach`` goes through the values of a map and knows ``#break``. LocalStack's steps for
requests and responses render with ``Templates``.
Why: airspeed has few of Java's methods and only for Python's own classes, so that
``$context.httpMethod.equals("POST")`` is false on a POST and ``$input.path("$.s").trim()`` is
empty; what it does not have is Python's (``split`` without regular expressions, ``keySet()``
written as ``dict_keys([...])``). So are its operators: a text and a number cannot be added or
compared, which ends the template, ``5.0 / 2`` is 2 and ``"1" == 1`` is false; its loop goes through
the keys of a map and the letters of a text, and ``#break`` is text.
Until: LocalStack's templates have Java's methods and Velocity's operators.
Test: ``tests/engine/test_rest_api_templates.py``, ``tests/unit/plugin/test_mapping_templates.py``.
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from localstack.services.apigateway.next_gen.execute_api import handlers
from localstack.utils.aws.templating import APIGW_SOURCE, SOURCE_NAMESPACE_VARIABLE, airspeed

from trigger_stack.localstack.apigateway.templates import Templates
from trigger_stack.services.apigateway import java_values, velocity_operators

MARK: Final = "_trigger_stack_original"
_operators: Final[Any] = airspeed.operators
OPERATORS_OF_AIRSPEED: Final[dict[str, Any]] = dict(_operators.BinaryOperator.OPERATORS)


@functools.cache
def install() -> None:
    """Put the patches into airspeed and LocalStack, once."""
    _wrap(_operators.NameOrCall, "calculate", _calculating)
    _wrap(_operators, "value_to_string", _writing)
    _wrap(_operators.ForeachDirective, "evaluate_raw", _looping)
    _operators.StopDirective = _Ending
    _operators.BinaryOperator.OPERATORS.update(velocity_operators.OPERATORS)
    handlers.integration_request_handler._vtl_template = Templates()
    handlers.integration_response_handler._vtl_template = Templates()


def _wrap(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    original = getattr(owner, name)
    wrapped = make(original)
    setattr(wrapped, MARK, original)
    setattr(owner, name, wrapped)


def _calculating(original: Callable[..., Any]) -> Callable[..., Any]:
    def calculate(self: Any, current_object: Any, loader: Any, top_namespace: Any) -> Any:
        is_variable = isinstance(current_object, _operators.LocalNamespace)
        if is_variable or not java_values.is_value(current_object):
            return original(self, current_object, loader, top_namespace)
        if top_namespace.top().get(SOURCE_NAMESPACE_VARIABLE) != APIGW_SOURCE:
            return original(self, current_object, loader, top_namespace)
        if self.parameters is not None:
            arguments = self.parameters.calculate(top_namespace, loader)
            return java_values.call(current_object, self.name, arguments)
        value = java_values.read(current_object, self.name)
        if self.index is None or value is None:
            return value
        try:
            return value[self.index.calculate(top_namespace, loader)]
        except (LookupError, TypeError):  # as airspeed: no such element is no value
            return None

    return calculate


def _writing(original: Callable[[Any], str]) -> Callable[[Any], str]:
    def value_to_string(value: Any) -> str:
        return java_values.to_text(value) if java_values.is_value(value) else original(value)

    return value_to_string


class _Elements:
    """What a loop goes through, in the place of the expression that says so."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def calculate(self, namespace: Any, loader: Any) -> list[Any]:
        return velocity_operators.elements(self._value.calculate(namespace, loader))


def _looping(original: Callable[..., None]) -> Callable[..., None]:
    def evaluate_raw(self: Any, stream: Any, namespace: Any, loader: Any) -> None:
        if namespace.top().get(SOURCE_NAMESPACE_VARIABLE) != APIGW_SOURCE:
            original(self, stream, namespace, loader)
            return
        loop = copy.copy(self)
        loop.value = _Elements(self.value)
        with suppress(_Break):
            original(loop, stream, namespace, loader)

    return evaluate_raw


class _Break(airspeed.TemplateExecutionError):
    """``#break`` ends the loop that it stands in; airspeed lets this class pass."""

    def __init__(self) -> None:
        """Without the element that failed: nothing did."""


class _Ending(_operators.StopDirective):
    """``#stop``, and ``#break``: the loop ends, or the template where there is none."""

    STOP = re.compile(r"#(?:stop\b|break\b|\{break\})(.*)", re.DOTALL | re.IGNORECASE)

    def evaluate_raw(self, stream: Any, namespace: Any, loader: Any) -> None:
        if "break" in self.my_text().lower() and _is_in_loop(namespace):
            raise _Break
        super().evaluate_raw(stream, namespace, loader)


def _is_in_loop(namespace: Any) -> bool:
    try:
        return bool(namespace["foreach"])
    except KeyError:
        return False

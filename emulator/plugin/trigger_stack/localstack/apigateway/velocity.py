"""Mapping templates call the methods of Java's values.

What: ``NameOrCall.calculate`` of airspeed, the template language, is wrapped: in a template of API
Gateway a text, number, boolean, list or map has the methods and properties that Java gives it
(``services/apigateway/java_values.py``). ``value_to_string`` of airspeed writes lists and maps as
Java does. LocalStack's steps for requests and responses render with ``Templates``.
Why: airspeed has few of Java's methods and only for Python's own classes, so that
``$context.httpMethod.equals("POST")`` is false on a POST and ``$input.path("$.s").trim()`` is
empty; what it does not have is Python's (``split`` without regular expressions, ``keySet()``
written as ``dict_keys([...])``).
Until: LocalStack's templates have Java's methods.
Test: ``tests/engine/test_rest_api_templates.py``, ``tests/unit/plugin/test_mapping_templates.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from localstack.services.apigateway.next_gen.execute_api import handlers
from localstack.utils.aws.templating import APIGW_SOURCE, SOURCE_NAMESPACE_VARIABLE, airspeed

from trigger_stack.localstack.apigateway.templates import Templates
from trigger_stack.services.apigateway import java_values

MARK: Final = "_trigger_stack_original"
_operators: Final[Any] = airspeed.operators


@functools.cache
def install() -> None:
    """Put the patches into airspeed and LocalStack, once."""
    _wrap(_operators.NameOrCall, "calculate", _calculating)
    _wrap(_operators, "value_to_string", _writing)
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

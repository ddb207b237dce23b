"""The template language as the Serverless Framework's templates need it.

What: LocalStack's ``ApiGatewayVtlTemplate``, where ``$input.params().header`` is a map,
``$input.path('$')`` of a body that is not JSON is its text, and ``$util.escapeJavaScript`` of an
empty text is an empty text.
Why: LocalStack's headers have no ``keySet()``, a body of a form is nothing to it, and an empty text
is ``{}``: the framework's templates of ``integration: lambda`` lose the first two, and show every
empty field so.
Until: LocalStack has them.
Test: ``tests/engine/test_rest_api.py::test_templates_see_headers_and_forms``.
"""

from __future__ import annotations

from typing import Any

from localstack.services.apigateway.next_gen.execute_api.template_mapping import (
    ApiGatewayVtlTemplate,
    VelocityInput,
    VelocityUtilApiGateway,
)


class _Input(VelocityInput):
    def _extract_json_path(self, path: str) -> Any:
        found = super()._extract_json_path(path)
        is_text = found is None and path == "$" and isinstance(self.value, str)
        return self.value if is_text else found


class _Util(VelocityUtilApiGateway):
    def escapeJavaScript(self, obj: Any) -> str:  # noqa: N802  the name is API Gateway's
        return "" if obj == "" else str(super().escapeJavaScript(obj))


class Templates(ApiGatewayVtlTemplate):
    """Renders mapping templates."""

    def prepare_namespace(self, variables: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        """The values that a template sees."""
        namespace: dict[str, Any] = super().prepare_namespace(variables, *arguments, **named)
        known = namespace["input"]
        parameters = {name: dict(values or {}) for name, values in known.parameters.items()}
        namespace["input"] = _Input(known.value, parameters)
        namespace["util"] = _Util()
        return namespace

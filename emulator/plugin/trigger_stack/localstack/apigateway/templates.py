"""The template language as API Gateway has it.

What: LocalStack's ``ApiGatewayVtlTemplate``, where ``$input.params().header`` is a map,
``$input.path('$')`` of a body that is not JSON is its text, ``$input.json('$')`` of no body is
``{}``, paths have filters and functions, and ``$util.base64Decode`` and ``$util.escapeJavaScript``
give texts as AWS does.
Why: LocalStack's headers have no ``keySet()``, a body of a form is nothing to it, and no body is
``""``: the templates of ``integration: lambda`` of the Serverless Framework need all three. A path
with a filter is an error to it, and one with ``*`` is a single value when one fits. A decoded text
is bytes, a single quote is not escaped, and a blank text is ``{}``.
Until: LocalStack has them.
Test: ``tests/engine/test_rest_api.py::test_templates_see_headers_and_forms``,
``tests/engine/test_rest_api_templates.py``, ``tests/unit/plugin/test_mapping_templates.py``. AWS
topic: API Gateway Developer Guide, "Mapping template transformations" ("Variables for data
transformations").
"""

from __future__ import annotations

import json
from typing import Any

from localstack.services.apigateway.next_gen.execute_api.template_mapping import (
    ApiGatewayVtlTemplate,
    VelocityInput,
    VelocityUtilApiGateway,
)

from trigger_stack.services.apigateway import json_paths


class _Input(VelocityInput):
    def _extract_json_path(self, path: str) -> Any:
        if not self.value:
            return self.value if path == "$" else None
        if isinstance(self.value, dict):
            return json_paths.find(self.value, path)
        try:
            document = json.loads(self.value)
        except ValueError:
            return self.value if path == "$" else None
        return json_paths.find(document, path)

    def json(self, path: str) -> str:
        # API Gateway has {} in place of no body, also in $input.body.
        if not self.value and path in ("", "$"):
            return "{}"
        return str(super().json(path))


class _Util(VelocityUtilApiGateway):
    def base64Decode(self, s: Any) -> str:  # noqa: N802  the name is API Gateway's
        found: Any = super().base64Decode(s)
        return found.decode(errors="replace") if isinstance(found, bytes) else str(found)

    def escapeJavaScript(self, obj: Any) -> str:  # noqa: N802  the name is API Gateway's
        if isinstance(obj, str) and not obj.strip():
            return json.dumps(obj)[1:-1]
        return str(super().escapeJavaScript(obj)).replace("'", r"\'")


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

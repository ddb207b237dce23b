"""LocalStack starts without importing what nobody uses.

What: botocore is imported as if ``awscrt`` and ``urllib3.contrib.pyopenssl`` were not installed;
``localstack.aws.handlers.validation`` is a module whose handlers do nothing, unless
``OPENAPI_VALIDATE_REQUEST`` or ``OPENAPI_VALIDATE_RESPONSE`` is set.
Why: each import is for a second way to do something: to sign, to speak TLS, and to check requests
to LocalStack's own pages against their description, which is off by default. Together they take a
third of the time that the start takes.
Until: LocalStack imports ``openapi_core`` when it validates, and botocore the others when they are
used.
Test: ``tests/unit/plugin/test_imports.py``.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import Any, Final

_VALIDATION: Final = "localstack.aws.handlers.validation"
_SETTINGS: Final = ("OPENAPI_VALIDATE_REQUEST", "OPENAPI_VALIDATE_RESPONSE")
#: botocore imports these where they are installed, and does without where they are not.
_NOT_NEEDED: Final = ("awscrt", "urllib3.contrib.pyopenssl")


def leave_out() -> None:
    """Before anything imports botocore or LocalStack's handlers. Idempotent."""
    _import_botocore()
    if _VALIDATION not in sys.modules and not any(map(os.environ.get, _SETTINGS)):
        sys.modules[_VALIDATION] = _no_validation()


def _import_botocore() -> None:
    if "botocore.session" in sys.modules:
        return
    left_out = [name for name in _NOT_NEEDED if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules |= dict.fromkeys(left_out)  # what is None cannot be imported
    try:
        importlib.import_module("botocore.session")
    finally:
        for name in left_out:
            del modules[name]


def _no_validation() -> types.ModuleType:
    module: Any = types.ModuleType(_VALIDATION, "Validates nothing.")
    module.OpenAPIRequestValidator = _NoValidator
    module.OpenAPIResponseValidator = _NoValidator
    return module  # type: ignore[no-any-return]  # it has attributes that modules have not


class _NoValidator:
    """A handler of LocalStack's gateway."""

    def __call__(self, chain: Any, context: Any, response: Any) -> None:
        """Go on."""

"""LocalStack starts without importing what nobody uses.

What: botocore is imported as if ``urllib3.contrib.pyopenssl`` were not installed;
``localstack.aws.handlers.validation`` is a module whose handlers do nothing, unless
``OPENAPI_VALIDATE_REQUEST`` or ``OPENAPI_VALIDATE_RESPONSE`` is set; moto's REST APIs import
``openapi_spec_validator`` when they validate.
Why: each import is for a second way to do something: to speak TLS, to check requests to
LocalStack's own pages against their description, which is off by default, and to import REST APIs,
which LocalStack does by itself. Together they take a quarter of the time that the start takes.
Until: LocalStack and moto import the validators when they validate, and botocore the other TLS when
it is used.
Test: ``tests/unit/plugin/test_imports.py``.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import Any, Final

_VALIDATION: Final = "localstack.aws.handlers.validation"
_VALIDATOR: Final = "openapi_spec_validator"
_SETTINGS: Final = ("OPENAPI_VALIDATE_REQUEST", "OPENAPI_VALIDATE_RESPONSE")
#: botocore imports it where it is installed, and does without where it is not.
_NOT_NEEDED: Final = "urllib3.contrib.pyopenssl"


def leave_out() -> None:
    """Before anything imports botocore or LocalStack's handlers. Idempotent."""
    _import_botocore()
    if _VALIDATION not in sys.modules and not any(map(os.environ.get, _SETTINGS)):
        sys.modules[_VALIDATION] = _no_validation()
        sys.modules |= _late_validator()


def _import_botocore() -> None:
    if "botocore.session" in sys.modules:
        return
    modules: dict[str, Any] = sys.modules
    if _NOT_NEEDED in modules:
        return
    modules[_NOT_NEEDED] = None  # what is None cannot be imported
    try:
        importlib.import_module("botocore.session")
    finally:
        del modules[_NOT_NEEDED]


class OpenAPIValidationError(Exception):
    """A definition of an API is not as its version of OpenAPI demands."""


def _late_validator() -> dict[str, types.ModuleType]:
    """What moto imports of ``openapi_spec_validator``, with the packages around it, by name."""
    names = (_VALIDATOR, f"{_VALIDATOR}.validation", f"{_VALIDATOR}.validation.exceptions")
    package, validation, exceptions = modules = [types.ModuleType(name) for name in names]
    package.__dict__.update(__path__=[], validation=validation, validate=validate)
    validation.__dict__.update(__path__=[], exceptions=exceptions)
    exceptions.__dict__.update(OpenAPIValidationError=OpenAPIValidationError)
    return dict(zip(names, modules, strict=True))


def validate(definition: Any) -> None:
    """``openapi_spec_validator.validate``, which is imported now.

    Raises:
        OpenAPIValidationError: The definition is not valid.
    """
    for name in [one for one in sys.modules if one.partition(".")[0] == _VALIDATOR]:
        if getattr(sys.modules[name], "__file__", None) is None:
            del sys.modules[name]
    real: Any = importlib.import_module(_VALIDATOR)
    errors: Any = importlib.import_module(f"{_VALIDATOR}.validation.exceptions")
    try:
        real.validate(definition)
    except errors.OpenAPIValidationError as error:
        raise OpenAPIValidationError(str(error)) from error


def _no_validation() -> types.ModuleType:
    module: Any = types.ModuleType(_VALIDATION, "Validates nothing.")
    module.OpenAPIRequestValidator = _NoValidator
    module.OpenAPIResponseValidator = _NoValidator
    return module  # type: ignore[no-any-return]  # it has attributes that modules have not


class _NoValidator:
    """A handler of LocalStack's gateway."""

    def __call__(self, chain: Any, context: Any, response: Any) -> None:
        """Go on."""

"""The emulator's start imports what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

CODE = """
import json, sys
from trigger_stack.localstack import imports
before = [name for name in ("botocore", "localstack.aws") if name in sys.modules]
if sys.argv[1] == "leave out":
    imports.leave_out(); imports.leave_out()
from localstack.aws import handlers
import botocore.session
WATCHED = ("urllib3.contrib.pyopenssl", "openapi_core")
print(json.dumps({
    "before": before,
    "imported": [name for name in WATCHED if name in sys.modules],
    "validates": type(handlers.validate_request_schema).__mro__[0].__module__,
    "goes on": handlers.validate_request_schema(None, None, None) is None
    if sys.argv[1] == "leave out" and len(sys.argv) == 2 else None,
    "crt": botocore.compat.HAS_CRT,  # S3 makes checksums with it
}))
"""


def run(*arguments: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_nobody_uses_is_left_out() -> None:
    assert run("leave out") == {
        "before": [],
        "imported": [],
        "validates": "trigger_stack.localstack.imports",
        "goes on": True,
        "crt": True,
    }


def test_who_validates_gets_localstacks_handlers() -> None:
    found = run("leave out", "validating", OPENAPI_VALIDATE_REQUEST="1")

    assert found["imported"] == ["openapi_core"]
    assert found["validates"] == "localstack.aws.handlers.validation"


def test_localstack_still_imports_all_of_it() -> None:
    """When this fails, ``imports.py`` has less to do, or nothing."""
    found = run("import everything")

    assert found["imported"] == ["urllib3.contrib.pyopenssl", "openapi_core"]


MOTO = """
import sys
from trigger_stack.localstack import imports
imports.leave_out()
from moto.apigateway import models
assert models.OpenAPIValidationError is imports.OpenAPIValidationError
assert "pydantic_settings" not in sys.modules  # which openapi_spec_validator imports
good = {"openapi": "3.0.0", "info": {"title": "t", "version": "1"}, "paths": {}}
for _ in range(2):
    models.validate(good)
    try:
        models.validate({**good, "paths": 5})
    except models.OpenAPIValidationError as error:
        print(str(error).splitlines()[0])
import openapi_spec_validator
print(openapi_spec_validator.OpenAPIV30SpecValidator.__name__)
"""


def test_a_definition_of_a_rest_api_is_validated_all_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", MOTO], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    first, second, name = done.stdout.splitlines()
    assert first == second
    assert "5 is not of type" in first
    assert name == "OpenAPIV30SpecValidator"

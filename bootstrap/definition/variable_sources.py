"""Where variables come from besides the file itself: other files, the running stack, AWS.

Follows the Serverless Framework guide, "Variables": ``file``, ``ssm``, ``cf``, ``aws``, ``param``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from bootstrap.definition.document import load_value
from bootstrap.definition.scalars import number
from bootstrap.errors import DefinitionError

MISSING: Final = object()
_MAX_BYTES: Final = 1_000_000
_CODE: Final = (".js", ".cjs", ".mjs", ".ts")
#: Answers that mean "there is no such thing".
_NOT_THERE: Final = ("ParameterNotFound", "ValidationError")


class SourceError(ValueError):
    """A source cannot be read; the text is a sentence."""


def read_file(root: Path, name: str) -> Any:
    """The content of a file: YAML and JSON as data, everything else as text.

    Args:
        root: the folder that ``name`` is relative to.
        name: path of the file; ``~`` is the home folder.

    Returns:
        ``MISSING`` when there is no such file.

    Raises:
        SourceError: It is code, too large, or cannot be read.
    """
    try:
        path = root / Path(name).expanduser()
    except RuntimeError as error:  # ~ of a user that does not exist
        raise SourceError(f"{name} cannot be read: {error}") from None
    if path.suffix in _CODE:
        raise SourceError(
            f"{path.name} is code, which is not run here. Write its values as YAML or JSON"
        )
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"{path.name} is larger than {_MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return MISSING
    except (OSError, ValueError) as error:  # not UTF-8, or a name with a NUL
        raise SourceError(f"{path.name} cannot be read: {error}") from None
    if path.suffix == ".json":
        try:
            return json.loads(text, parse_float=lambda digits: number(float(digits)))
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{path.name} is not valid JSON: {error}") from None
    if path.suffix in (".yml", ".yaml"):
        try:
            return load_value(path, text)
        except DefinitionError as error:
            raise SourceError(str(error).rstrip(".")) from None
    return text


def parameter(region: str, name: str) -> Any:
    """A parameter of the running stack's Parameter Store; ``MISSING`` when there is none."""
    answer = _ask("ssm", region, lambda ssm: ssm.get_parameter(Name=name, WithDecryption=True))
    if answer is MISSING:
        return MISSING
    found = answer["Parameter"]
    return found["Value"].split(",") if found["Type"] == "StringList" else found["Value"]


def stack_output(region: str, stack: str, output: str) -> Any:
    """An output of a CloudFormation stack of the running stack; ``MISSING`` when there is none."""
    answer = _ask("cloudformation", region, lambda cf: cf.describe_stacks(StackName=stack))
    if answer is MISSING:
        return MISSING
    outputs = answer["Stacks"][0].get("Outputs", [])
    return next((o["OutputValue"] for o in outputs if o["OutputKey"] == output), MISSING)


def _ask(service: str, region: str, call: Callable[[Any], Any]) -> Any:
    # Imported here: most definitions ask nobody, and botocore takes long to load.
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call(_client(service, region))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _NOT_THERE:
            return MISSING
        raise SourceError(f"{service} answered: {error}") from None
    except BotoCoreError:  # the stack does not run
        return MISSING


@cache
def _client(service: str, region: str) -> Any:
    from bootstrap.settings import Settings

    return Settings.from_environment(region).client(service)

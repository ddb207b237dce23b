"""Writes the beginning of a project; what is there already is never touched."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import tempfile
from pathlib import Path

from bootstrap.errors import WrongUseError
from bootstrap.init.pieces import ALIASES, PIECES, Piece

DEFAULT = "http,sqs"
_HEAD = """\
# `make up APP=…` creates all of it on this machine, `osls deploy` on AWS.
service: {service}
frameworkVersion: ">=3"
configValidationMode: error

provider:
  name: aws
  region: us-east-1
  stage: ${{opt:stage, 'local'}} # `osls deploy --stage <yours>`: every name has the stage in it
  # make up sets LAMBDA_PYTHON_RUNTIME to the interpreter this machine has.
  runtime: ${{env:LAMBDA_PYTHON_RUNTIME, 'python3.13'}}
  memorySize: 256
  timeout: 10
  logRetentionInDays: 14
{iam}
package:
  patterns: ["!**", "handlers/**", "!**/__pycache__/**"]

functions:
{functions}"""
_QUEUE = """\
    {identity}:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: ${{self:service}}-${{sls:stage}}-{name}
        MessageRetentionPeriod: 1209600 # 14 days to look at it, and to redrive it
"""
_HANDLER = '''\
"""Fired by {says}."""

from __future__ import annotations

{imports}from typing import Any
{after}

def handler(event: dict[str, Any], context: Any) -> Any:
    """What Lambda calls."""
    return handle(event)


def handle(event: dict[str, Any]) -> Any:
    """The function's own logic: replace it."""
{body}'''
_README = """\
# {service}

{rows}
From Trigger Stack's folder:

```sh
make check APP={folder} STRICT=1   # where could an event vanish?
make up APP={folder}               # create all of it; prints a command that fires each function
make logs                          # what the functions print
make dlq                           # what could not be processed, and why
```

On AWS, from this folder: `osls deploy --stage <yours>`.
"""
_SERVICE = re.compile(r"[^A-Za-z0-9-]+")


def run(folder: str, triggers: str) -> list[Path]:
    """Write a project with one function for each kind of trigger.

    Args:
        folder: where to; it is made when it is not there.
        triggers: kinds, separated by commas; nothing: ``http,sqs``.

    Returns:
        The files that were written.

    Raises:
        WrongUseError: an unknown kind, or a file is there already; nothing is written then.
    """
    if not folder:
        raise WrongUseError("Say where: make init APP=../my-project TRIGGERS=http,sqs")
    kinds = _kinds(triggers or DEFAULT)
    root = Path(folder)
    if root.exists() and not root.is_dir():
        raise WrongUseError(f"APP={folder} is a file. Name a folder.")
    service = _SERVICE.sub("-", root.resolve().name).strip("-")
    service = service if service[:1].isalpha() else f"app-{service}".strip("-")
    files = contents(service, kinds, folder)
    there = [name for name in [*files, "serverless.yaml"] if (root / name).exists()]
    if there:
        raise WrongUseError(
            f"APP={folder}: {', '.join(there)} {'is' if len(there) == 1 else 'are'} there already."
            " Nothing was written: name another folder."
        )
    try:
        _write(root, files)
    except OSError as error:
        raise WrongUseError(
            f"APP={folder} cannot be written: {error.strerror} ({error.filename})."
        ) from error
    return [root / name for name in files]


def _write(root: Path, files: dict[str, str]) -> None:
    """All of them or none: they are written beside, and the definition is moved last."""
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".init-") as beside:
        for name, text in files.items():
            file = Path(beside, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        for name in sorted(files, key=lambda name: name == "serverless.yml"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(Path(beside, name), root / name)  # fails when it is there, unlike a move
            shutil.copymode(Path(beside, name), root / name)


def _kinds(triggers: str) -> list[str]:
    kinds: list[str] = []
    for word in filter(None, re.split(r"[,\s]+", triggers)):
        kind = ALIASES.get(word.lower(), word.lower())
        if kind not in PIECES:
            similar = difflib.get_close_matches(kind, [*PIECES, *ALIASES], 1)
            meant = f" Did you mean {similar[0]}?" if similar else ""
            raise WrongUseError(
                f"TRIGGERS={triggers}: there is no {word}.{meant} There are: {', '.join(PIECES)}."
            )
        if kind not in kinds:
            kinds.append(kind)
    return kinds


def contents(service: str, kinds: list[str], folder: str) -> dict[str, str]:
    """The text of every file, by its path in the project."""
    pieces = {kind: PIECES[kind] for kind in kinds}
    statements = "".join(piece.statements for piece in pieces.values())
    iam = f"  iam:\n    role:\n      statements:\n{statements}" if statements else ""
    definition = _HEAD.format(
        service=service,
        iam=iam,
        functions="\n".join(_function(kind, piece) for kind, piece in pieces.items()),
    )
    resources = [piece.resources for piece in pieces.values() if piece.resources]
    resources += [
        _QUEUE.format(identity=identity, name=name)
        for piece in pieces.values()
        for identity, name in piece.queues
    ]
    if resources:
        definition += "\nresources:\n  Resources:\n" + "".join(resources)
    rows = "".join(f"- `handlers/{kind}.py`: {piece.says}\n" for kind, piece in pieces.items())
    return {
        "serverless.yml": definition,
        **{f"handlers/{kind}.py": _handler(piece) for kind, piece in pieces.items()},
        "README.md": _README.format(service=service, rows=rows, folder=folder),
    }


def _function(kind: str, piece: Piece) -> str:
    return f"  {kind}:\n    handler: handlers/{kind}.handler\n{piece.function}"


def _handler(piece: Piece) -> str:
    modules = [name for name in ("base64", "json") if f"{name}." in piece.handler]
    imports = "".join(f"import {name}\n" for name in modules)
    after = "from urllib.parse import unquote_plus\n" if "unquote_plus" in piece.handler else ""
    return _HANDLER.format(says=piece.says, imports=imports, after=after, body=piece.handler)

"""From a definition file to a template."""

from __future__ import annotations

import os
from pathlib import Path

from bootstrap import project
from bootstrap.definition.compile import compile_template
from bootstrap.definition.conditions import evaluate
from bootstrap.definition.document import load_document
from bootstrap.definition.normalise import normalise
from bootstrap.definition.variables import resolve_variables, stage_of
from bootstrap.template import Template


def load_template(file: Path, stage: str | None = None) -> Template:
    """Read a definition file and compile it.

    Raises:
        DefinitionError: anything wrong in it.
    """
    document = load_document(file)
    options = {"stage": stage} if stage else {}
    environment = project.environment(file, stage_of(document, os.environ, options))
    resolve_variables(document, environment=environment, options=options, collect=True)
    normalise(document)
    evaluate(document)
    return compile_template(document)

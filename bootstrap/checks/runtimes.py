"""Each function's runtime can run here: the engine is asked beforehand what it would say."""

from __future__ import annotations

from bootstrap.template import Resource, Template
from trigger_stack_engine.environments import interpreters
from trigger_stack_engine.settings import runtimes_folder

_CONTAINERS = (
    ". Containers (RUNTIME=docker) have one Python and no Node.js: RUNTIME=native runs what the"
    " machine has"
)


def check_runtime(template: Template, resource: Resource, asked: dict[str, str]) -> None:
    """Ask for the runtime of a function below ``functions:``; anything else is fine.

    Args:
        asked: the answers so far, by runtime; empty for one that can run.

    Raises:
        DefinitionError: this machine cannot run it; the sentence says what is missing.
    """
    runtime = resource.properties.get("Runtime")
    if resource.type != "AWS::Lambda::Function" or not isinstance(runtime, str):
        return
    if runtime not in asked:
        asked[runtime] = _problem(runtime)
    if not asked[runtime]:
        return
    own = (*resource.path, "runtime")
    path = own if own in template.document.lines else ("provider", "runtime")
    template.document.fail(asked[runtime], *path)


def _problem(runtime: str) -> str:
    try:
        interpreters.check(runtime, runtimes_folder())
    except interpreters.RuntimeUnavailableError as error:
        from bootstrap.runtime import choice  # takes long to import

        return f"{error}{_CONTAINERS if choice.in_container() else ''}."
    return ""

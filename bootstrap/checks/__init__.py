"""Rules that a definition must keep before anything is created. One module, one rule.

A rule is a function ``check(template)`` that raises DefinitionError with the place and the remedy.
To add one, write a module here and name it in ``RULES``.
"""

from __future__ import annotations

from bootstrap.checks import handlers, resources
from bootstrap.template import Resource, Template

RULES = (handlers.check, resources.check)


def check(template: Template) -> list[Resource]:
    """Find everything that is wrong before anything is created.

    Returns:
        The resources in the order to create them in.

    Raises:
        DefinitionError: a rule is broken, or resources refer to nothing or to each other.
    """
    for rule in RULES:
        rule(template)
    return template.ordered()

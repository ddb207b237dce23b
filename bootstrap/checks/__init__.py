"""Rules that say before anything is created what AWS refuses, and where an event could vanish.

A theme is one module; a rule in it is a function under :func:`bootstrap.checks.findings.rule` that
yields what breaks it. To add one, write it in its theme's module, and run ``make docs``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bootstrap.checks import (
    buckets,
    distributions,
    failures,
    logs,
    mail,
    mappings,
    names,
    partial_failures,
    pipes,
    policies,
    queues,
    routes,
    rules,
    streams,
    structure,
    suppressions,
    topics,
    user_pools,
)
from bootstrap.checks.findings import Finding, Hit, Place, Rule, Severity
from bootstrap.checks.sources import Sources
from bootstrap.checks.view import View
from bootstrap.errors import DefinitionError, DefinitionErrors
from bootstrap.template import Resource, Template

_THEMES = (
    *(queues, failures, rules, buckets, distributions, policies, routes, user_pools),
    *(streams, pipes, logs, topics, mappings, partial_failures, names, mail),
)
#: Every rule, by id, in the order of the ids.
RULES: dict[str, Rule] = {
    one.id: one
    for one in sorted(
        (
            *structure.RULES,
            *(one for theme in _THEMES for one in vars(theme).values() if isinstance(one, Rule)),
            *suppressions.RULES,
        ),
        key=lambda one: one.id,
    )
}


@dataclass(frozen=True)
class Report:
    """Everything that was found, sorted by file and line.

    Attributes:
        findings: what counts.
        suppressed: what a comment silences.
    """

    findings: list[Finding]
    suppressed: list[Finding]

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(1 for finding in self.findings if finding.severity is severity)

    def fails(self, *, strict: bool) -> bool:
        """Whether there is an error, or, when ``strict``, a warning."""
        worst = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
        return any(finding.severity in worst for finding in self.findings)


def examine(template: Template) -> Report:
    """Find everything at once."""
    found: list[Finding] = []
    unusable: set[str] = set()
    sources = Sources(template.document.root.resolve())
    for rule, hit, resource in structure.examine(template, sources):
        found.append(_finding(template, rule, hit))
        if resource is not None:
            unusable.add(resource.logical_id)
    usable = {name: one for name, one in template.resources.items() if name not in unusable}
    view = View(template, usable, sources)
    for rule in RULES.values():
        if rule.find is not None:
            found += [_finding(template, rule, hit) for hit in rule.find(view)]
    texts = [(template.document.path.name, template.document.text, False)]
    texts += [(one.name, one.text, True) for one in partial_failures.modules(view)]
    everything = list(suppressions.apply(dict.fromkeys(found), texts, RULES))
    everything.sort(key=lambda f: (f.in_code, f.file, f.line, f.column, f.rule_id, f.what))
    return Report(
        [finding for finding in everything if finding.reason is None],
        [finding for finding in everything if finding.reason is not None],
    )


def _finding(template: Template, rule: Rule, hit: Hit) -> Finding:
    document = template.document
    if isinstance(hit.at, Place):
        file, line, column = hit.at
        in_code = True
    else:
        place = document.nearest(hit.at)
        file, in_code = document.path.name, False
        line, column = document.lines.get(place, 0), document.columns.get(place, 1)
    what = hit.what if len(hit.what) < 2000 else f"{hit.what[:1999]}…"
    return Finding(in_code, file, line, column, rule.id, what, rule.severity, rule.why, rule.mend)


def unreadable(error: DefinitionError) -> Report:
    """The report about a definition that could not be read as far as to have all resources."""
    rule = structure.DEFINITION
    findings = [
        Finding(
            False,
            one.file,
            one.line or 0,
            one.column or min(one.line or 0, 1),
            rule.id,
            one.message,
            rule.severity,
            rule.why,
            rule.mend,
        )
        for one in error.errors
    ]
    template = error.template if isinstance(error, DefinitionErrors) else None
    if template is not None:  # what does not depend on the rest
        sources = Sources(template.document.root.resolve())
        findings += [
            _finding(template, rule, hit)
            for rule, hit, _ in structure.examine(template, sources)
            if rule in (structure.HANDLER, structure.RESOURCE, structure.RUNTIME)
        ]
    findings.sort(key=lambda one: (one.file, one.line, one.column))
    return Report(findings, [])


def everything(error: DefinitionError) -> DefinitionError:
    """An error of a definition with all that can be said about the definition beside it."""
    return DefinitionErrors(
        DefinitionError(one.what, file=one.file, line=one.line or None, column=one.column or None)
        for one in unreadable(error).findings
    )


def check(template: Template) -> list[Resource]:
    """Refuse what cannot be created or can never work.

    Returns:
        The resources in the order to create them in.

    Raises:
        DefinitionError: with every error that :func:`examine` finds.
    """
    refuse(examine(template), template)
    return template.ordered()


def refuse(report: Report, template: Template) -> None:
    """Raise when a report has errors.

    Raises:
        DefinitionError: with the place of the first, and a sentence for each.
    """
    errors = [one for one in report.findings if one.severity is Severity.ERROR]
    if not errors:
        return
    raise DefinitionErrors(
        DefinitionError(
            _sentence(one), file=one.file, line=one.line or None, column=one.column or None
        )
        for one in errors
    )


def _sentence(finding: Finding) -> str:
    if finding.rule_id.startswith("TS0"):
        return finding.what
    return f"{finding.what} {finding.why} ({finding.rule_id})"


def themes() -> Iterator[tuple[str, list[Rule]]]:
    """The rules by theme, each with the first line of what its module says."""
    modules = (structure, *_THEMES, suppressions)
    for module in modules:
        own = [one for one in RULES.values() if one in vars(module).values()]
        title = (module.__doc__ or "").splitlines()[0]
        yield title, sorted(own, key=lambda one: one.id)

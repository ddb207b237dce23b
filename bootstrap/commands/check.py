"""``bootstrap check``: say what is wrong with a definition, and where an event could vanish."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path

from bootstrap.checks import Report, examine, formats, unreadable
from bootstrap.checks.findings import Finding, Severity
from bootstrap.commands.load import load_template
from bootstrap.errors import EXIT_FAILED, EXIT_WRONG_INPUT, DefinitionError

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


class Format(StrEnum):
    """How the report is printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


def run(file: Path, form: Format, *, strict: bool) -> int:
    """Print what was found.

    Args:
        strict: warnings count, too.

    Returns:
        The exit code: 0 when nothing counts, 1 when something does, 2 when the file cannot be
        read as far as to have resources.

    Raises:
        DefinitionError: there is no such file.
    """
    try:
        template = load_template(file)
    except DefinitionError as error:
        if form is Format.TEXT and error.line is None and not file.is_file():
            raise
        _print(unreadable(error), file, form, 0)
        return EXIT_WRONG_INPUT
    report = examine(template)
    _print(report, file, form, len(template.resources))
    return EXIT_FAILED if report.fails(strict=strict) else 0


def _print(report: Report, file: Path, form: Format, resources: int) -> None:
    if form is Format.JSON:
        sys.stdout.write(f"{formats.as_json(report, file.name)}\n")
    elif form is Format.SARIF:
        sys.stdout.write(f"{formats.as_sarif(report, str(file.parent))}\n")
    elif sys.stdout.isatty():
        _print_in_colour(report, file)
        sys.stdout.write(f"{_summary(report, file, resources)}\n")
    else:
        for finding in report.findings:
            place = _place(finding, file)
            sys.stdout.write(f"{place}: {finding.severity} {_text(finding)}\n")
        sys.stdout.write(f"{_summary(report, file, resources)}\n")


def _text(finding: Finding) -> str:
    """A finding behind its severity, with the reason and the remedy on a line of their own."""
    what = f"{finding.rule_id} {finding.what}"
    more = f"\n    {finding.why} {finding.mend}"
    return what if finding.rule_id.startswith("TS0") else f"{what}{more}"


def _place(finding: Finding, file: Path) -> str:
    """``../theirs/serverless.yml:3:5``, so that an editor finds it."""
    folder = file.parent.as_posix()
    return finding.place if folder == "." else f"{folder}/{finding.place}"


def _summary(report: Report, file: Path, resources: int) -> str:
    silent = f", {len(report.suppressed)} suppressed" if report.suppressed else ""
    many = f", {resources} resources" if resources else ""
    return f"{file}: {formats.counted(report) or 'fine'}{many}{silent}"


def _print_in_colour(report: Report, file: Path) -> None:
    # A pipe has no use for it, and rich takes as long to import as all rules take to run.
    from rich.text import Text

    from bootstrap.console import out

    for finding in report.findings:
        severity = (finding.severity.value, _STYLES[finding.severity])
        out.print(Text.assemble(f"{_place(finding, file)}: ", severity, f" {_text(finding)}"))

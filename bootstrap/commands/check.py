"""``bootstrap check``: say what is wrong with a definition, and where an event could vanish."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path

from rich.text import Text

from bootstrap.checks import Report, examine, formats, unreadable
from bootstrap.checks.findings import Severity
from bootstrap.commands.load import load_template
from bootstrap.console import out
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
        DefinitionError: the latter, as the sentence for people, when that is the format.
    """
    try:
        template = load_template(file)
    except DefinitionError as error:
        if form is Format.TEXT:
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
        sys.stdout.write(f"{formats.as_sarif(report)}\n")
    else:
        for finding in report.findings:
            severity = Text(finding.severity.value, _STYLES[finding.severity])
            out.print(Text.assemble(f"{finding.place}: ", severity, f" {finding.rule_id} "), end="")
            out.print(Text(finding.what))
            if not finding.rule_id.startswith("TS0"):
                out.print(Text(f"    {finding.why} {finding.mend}", "dim"))
        silent = f", {len(report.suppressed)} suppressed" if report.suppressed else ""
        counts = formats.counted(report) or "fine"
        out.print(Text(f"{file}: {counts}, {resources} resources{silent}"))

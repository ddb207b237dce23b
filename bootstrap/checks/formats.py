"""How a report is printed: for people, as JSON, and as SARIF 2.1.0 (OASIS)."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from bootstrap.checks import RULES, Report
from bootstrap.checks.findings import Finding, Rule, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def counted(report: Report) -> str:
    """``2 errors, 1 warning``; empty when there is nothing."""
    counts = [(report.count(severity), severity.value) for severity in Severity]
    return ", ".join(f"{n} {name}{'s' if n > 1 else ''}" for n, name in counts if n)


def as_json(report: Report, file: str) -> str:
    """One object with the findings, those that are suppressed, and their numbers."""
    return json.dumps(
        {
            "file": file,
            **{f"{severity.value}s": report.count(severity) for severity in Severity},
            "findings": [_entry(finding) for finding in report.findings],
            "suppressed": [
                {**_entry(finding), "reason": finding.reason} for finding in report.suppressed
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def _entry(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.rule_id,
        "severity": finding.severity.value,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "what": finding.what,
        "why": finding.why,
        "mend": finding.mend,
    }


def as_sarif(report: Report, folder: str = "") -> str:
    """One run with all rules; a suppressed finding has its reason as the justification.

    Args:
        folder: where the definition is, from where ``check`` runs: addresses start there.
    """
    order = list(RULES)
    run = {
        "tool": {
            "driver": {
                "name": "trigger-stack check",
                "version": _version(),
                "rules": [_rule(rule) for rule in RULES.values()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, order, folder) for one in (*report.findings, *report.suppressed)],
    }
    return json.dumps(
        {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False
    )


def _version() -> str:
    try:
        return version("trigger-stack")
    except PackageNotFoundError:  # run from a clone
        return "0"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.why},
        "help": {"text": rule.mend},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _result(finding: Finding, order: list[str], folder: str) -> dict[str, Any]:
    place: dict[str, Any] = {
        "artifactLocation": {"uri": quote(PurePath(folder, finding.file).as_posix())}
    }
    if finding.line:
        place["region"] = {"startLine": finding.line, "startColumn": max(finding.column, 1)}
    result: dict[str, Any] = {
        "ruleId": finding.rule_id,
        "ruleIndex": order.index(finding.rule_id),
        "level": finding.severity.value,
        "message": {"text": f"{finding.what} {finding.why} {finding.mend}"},
        "locations": [{"physicalLocation": place}],
    }
    if finding.reason is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.reason}]
    return result

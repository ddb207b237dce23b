"""Comments that silence a rule at a place: ``# check: ignore=TS101 reason``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bootstrap.checks.findings import Finding, Rule, Severity

UNUSED = Rule(
    "TS991",
    Severity.NOTE,
    "The comment silences nothing: what it was for is mended, or it stands at another line.",
    "Remove it, or move it to the line of the finding or the line above.",
)
NO_REASON = Rule(
    "TS992",
    Severity.WARNING,
    "Without a reason nobody can say later whether the finding may stay silent.",
    "Write the reason behind the rule's id.",
)
RULES = (UNUSED, NO_REASON)

_COMMENT = re.compile(r"#\s*check:\s*ignore=([A-Za-z0-9,]+)[ \t]*(.*)$")


@dataclass(frozen=True)
class _Comment:
    file: str
    line: int
    column: int
    rules: tuple[str, ...]
    reason: str
    target: int


def _comments(file: str, text: str) -> Iterator[_Comment]:
    if "check:" not in text:
        return
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if not (found := _COMMENT.search(line)):
            continue
        target = number
        if not line[: found.start()].strip():  # alone on its line: it is about the next one
            target += 1
            while target <= len(lines) and lines[target - 1].lstrip().startswith("#"):
                target += 1
        rules = tuple(filter(None, found[1].split(",")))
        yield _Comment(file, number, found.start() + 1, rules, found[2].strip(), target)


def apply(
    findings: Iterable[Finding], texts: Iterable[tuple[str, str, bool]], rules: dict[str, Rule]
) -> Iterator[Finding]:
    """The findings, those that a comment silences with its reason, and what is wrong with comments.

    Args:
        texts: name and content of each file that may have comments, and whether it is code.
        rules: every rule, by id.
    """
    comments = [
        (comment, in_code) for file, text, in_code in texts for comment in _comments(file, text)
    ]
    silent = {
        (comment.file, comment.target, one): comment
        for comment, _ in comments
        if comment.reason
        for one in comment.rules
    }
    used: set[tuple[str, int, str]] = set()
    for finding in findings:
        comment = silent.get((finding.file, finding.line, finding.rule_id))
        rule = rules.get(finding.rule_id)
        if comment is None or rule is None or not rule.suppressible:
            yield finding
            continue
        used.add((comment.file, comment.line, finding.rule_id))
        yield replace(finding, reason=comment.reason)
    for comment, in_code in comments:
        if not comment.reason:
            yield _about(comment, NO_REASON, "The suppression has no reason.", in_code)
            continue
        for one in comment.rules:
            if one not in rules:
                yield _about(comment, UNUSED, f"There is no rule {one}.", in_code)
            elif (comment.file, comment.line, one) not in used:
                yield _about(comment, UNUSED, f"There is no {one} to suppress.", in_code)


def _about(comment: _Comment, rule: Rule, what: str, in_code: bool) -> Finding:
    return Finding(
        in_code,
        comment.file,
        comment.line,
        comment.column,
        rule.id,
        what,
        rule.severity,
        rule.why,
        rule.mend,
    )

"""What ``check`` prints, how it ends, what a comment silences, and what it costs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import FUNCTION, PROVIDER, Project

from bootstrap.checks import RULES, examine
from bootstrap.commands import up
from bootstrap.errors import DefinitionError
from scripts import check_rules

ROOT = Path(__file__).parents[3]
#: A warning on line 10 (TS201), and nothing else.
WARNING = FUNCTION + "    events:\n      - s3: papers\n"
#: Two errors and a warning, the last line first.
ERRORS = (
    PROVIDER
    + """\
functions:
  greet:
    handler: app.nothing
    environment:
      AWS_REGION: x
    events:
      - s3: papers
"""
)


def run(
    project: Project, text: str | bytes, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    project.write(text)
    inherited = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "bootstrap", "check", *arguments],
        cwd=project.root,
        env=inherited | {"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- Formats and exit codes


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        (FUNCTION, [], 0),
        (FUNCTION, ["--strict"], 0),
        (WARNING, [], 0),
        (WARNING, ["--strict"], 1),
        (ERRORS, [], 1),
        ("a: [", [], 2),
        ("a: [", ["--format", "json"], 2),
        ("a: [", ["--format", "sarif"], 2),
        (FUNCTION, ["--format", "yaml"], 2),
    ],
)
def test_exit_codes(project: Project, text: str, arguments: list[str], code: int) -> None:
    assert run(project, text, *arguments).returncode == code


def test_all_findings_come_at_once_by_line(project: Project) -> None:
    done = run(project, ERRORS)

    lines = done.stdout.splitlines()
    assert [line.split(" ")[:3] for line in lines if not line.startswith(" ")][:-1] == [
        ["serverless.yml:8:5:", "error", "TS002"],
        ["serverless.yml:10:7:", "error", "TS902"],
        ["serverless.yml:12:9:", "warning", "TS201"],
    ]
    assert lines[-1] == "serverless.yml: 2 errors, 1 warning, 5 resources"
    assert "    An asynchronous event that failed three times is dropped" in done.stdout
    assert done.stderr == ""


def test_json(project: Project) -> None:
    report = json.loads(run(project, ERRORS, "--format", "json").stdout)

    assert (report["errors"], report["warnings"], report["notes"]) == (2, 1, 0)
    first, second, _ = report["findings"]
    assert (first["id"], first["severity"], first["line"]) == ("TS002", "error", 8)
    assert second == {
        "id": "TS902",
        "severity": "error",
        "file": "serverless.yml",
        "line": 10,
        "column": 7,
        "what": "AWS_REGION is Lambda's own.",
        "why": RULES["TS902"].why,
        "mend": RULES["TS902"].mend,
    }


def results(sarif: str) -> list[dict[str, Any]]:
    """The results, the rest of the SARIF file looked at."""
    log = json.loads(sarif)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (one_run,) = log["runs"]
    driver = one_run["tool"]["driver"]
    assert driver["name"]
    assert [one["id"] for one in driver["rules"]] == list(RULES)
    for result in one_run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert not Path(place["artifactLocation"]["uri"]).is_absolute()
        assert place["region"]["startLine"] >= 1
        assert place["region"]["startColumn"] >= 1
    found: list[dict[str, Any]] = one_run["results"]
    return found


def test_sarif(project: Project) -> None:
    found = results(run(project, ERRORS, "--format", "sarif").stdout)

    assert [one["ruleId"] for one in found] == ["TS002", "TS902", "TS201"]
    region = found[1]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 10, "startColumn": 7}


def test_sarif_about_a_file_that_cannot_be_read(project: Project) -> None:
    (found,) = results(run(project, "service: [shop\nprovider: x\n", "--format", "sarif").stdout)

    assert (found["ruleId"], found["level"]) == ("TS001", "error")
    assert found["locations"][0]["physicalLocation"]["region"]["startLine"] == 2


def test_a_suppressed_finding_is_in_the_sarif_with_its_reason(project: Project) -> None:
    text = WARNING + "      # check: ignore=TS201 papers are sent again every night\n"
    text = text.replace("papers\n", "papers # check: ignore=TS201 they come again\n", 1)
    found = results(run(project, text, "--format", "sarif", "--strict").stdout)

    silent = [one for one in found if "suppressions" in one]
    assert [one["ruleId"] for one in silent] == ["TS201"]
    assert silent[0]["suppressions"] == [{"kind": "inSource", "justification": "they come again"}]


def coloured(project: Project, **environment: str) -> bytes:
    """What a terminal gets."""
    project.write(WARNING)
    main, end = pty.openpty()
    inherited = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "NO_COLOR")}
    subprocess.run(
        [sys.executable, "-m", "bootstrap", "check"],
        cwd=project.root,
        env=inherited | {"PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
        stdout=end,
        timeout=60,
        check=True,
    )
    os.close(end)
    shown = b""
    while True:
        try:
            more = os.read(main, 4096)
        except OSError:  # how Linux says that nobody writes any longer
            break
        if not more:
            break
        shown += more
    os.close(main)
    return shown


def test_a_terminal_gets_colours_unless_no_color_is_set(project: Project) -> None:
    assert b"\x1b[33mwarning" in coloured(project)
    plain = coloured(project, NO_COLOR="1")
    assert b"serverless.yml:10:9: warning TS201 " in plain
    assert b"\x1b[3" not in plain


# --- Comments


SILENT = "# check: ignore=TS201 papers come again every night"


def found_with(project: Project, text: str) -> list[tuple[str, int]]:
    return [(one.rule_id, one.line) for one in examine(project.compile(text)).findings]


@pytest.mark.parametrize(
    "events",
    [
        f"      - s3: papers {SILENT}",
        f"      {SILENT}\n      - s3: papers",
        f"      {SILENT}\n      # Another comment.\n      - s3: papers",
        f"      {SILENT.replace('TS201', 'TS117,TS201')}\n"
        "      - eventBridge: { schedule: rate(1 hour), enabled: false }",
    ],
)
def test_a_comment_silences_a_rule(project: Project, events: str) -> None:
    text = f"{FUNCTION}    events:\n{events}\n"

    silenced = {rule for rule, _ in found_with(project, text)} & {"TS201", "TS117", "TS991"}
    assert "TS201" not in silenced
    # enabled: stands on the same line here, so the second rule is silent, too.
    assert not silenced


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        # Without a reason it silences nothing.
        ("# check: ignore=TS201", [("TS992", 10), ("TS201", 11)]),
        # Another rule than the one that finds something.
        ("# check: ignore=TS101 why not", [("TS991", 10), ("TS201", 11)]),
        # No rule at all.
        ("# check: ignore=TS999 why not", [("TS991", 10), ("TS201", 11)]),
        # One of two is of no use.
        ("# check: ignore=TS201,TS101 why not", [("TS991", 10)]),
    ],
)
def test_a_comment_that_is_of_no_use_is_a_finding(
    project: Project, comment: str, expected: list[tuple[str, int]]
) -> None:
    text = f"{FUNCTION}    events:\n      {comment}\n      - s3: papers\n"

    assert found_with(project, text) == expected


def test_a_comment_on_another_line_silences_nothing(project: Project) -> None:
    text = f"{FUNCTION}    {SILENT}\n    events:\n      - s3: papers\n"

    assert found_with(project, text) == [("TS991", 9), ("TS201", 11)]


def test_what_cannot_be_created_cannot_be_silenced(project: Project) -> None:
    text = FUNCTION.replace("app.handler", "app.run # check: ignore=TS002 later")

    assert [rule for rule, _ in found_with(project, text)] == ["TS002", "TS991"]


def test_a_comment_in_the_code_silences_a_rule_there(project: Project) -> None:
    code = (
        "import boto3\nevents = boto3.client('events')\n\n"
        "def handler(event, context):\n"
        "    events.put_events(Entries=[]){}\n"
    )
    roles = "  iam: { role: { statements: [{ Effect: Allow, Action: events:PutEvents }] } }\n"
    text = FUNCTION.replace("functions:", f"{roles}functions:")
    (project.root / "app.py").write_text(code.replace("{}", ""))
    assert found_with(project, text) == [("TS801", 5)]

    comment = "  # check: ignore=TS801 nobody minds"
    (project.root / "app.py").write_text(code.replace("{}", comment))
    assert found_with(project, text) == []

    (project.root / "app.py").write_text("# check: ignore=TS801 nobody minds\n" + code[:44])
    (project.root / "app.py").write_text(f"def handler(event, context):\n    return 1{comment}\n")
    assert found_with(project, text) == [("TS991", 2)]


# --- up


def test_up_refuses_errors_and_counts_warnings(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[str] = []

    def begin(template: Any, *_: Any, **__: Any) -> None:
        started.append(template.service)

    monkeypatch.setattr(up, "_run", begin)
    project.write(ERRORS)
    with pytest.raises(DefinitionError) as refused:
        up.run(project.file)
    assert str(refused.value).splitlines()[0].startswith("serverless.yml:8:5: functions.greet: app")
    assert "serverless.yml:10:7: AWS_REGION is Lambda's own." in str(refused.value)
    assert refused.value.exit_code == 2
    assert not started

    project.write(WARNING)
    up.run(project.file)
    assert started == ["shop"]
    assert capsys.readouterr().out == "1 warning about events that could vanish: make check\n"


# --- The repository's own


def test_the_brand_platform_passes_when_warnings_count() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bootstrap", "check", "--strict"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("serverless.yml: fine, ")


def test_the_page_lists_every_rule_and_is_up_to_date() -> None:
    page = check_rules.PAGE.read_text(encoding="utf-8")

    assert page == check_rules.page()
    for one in RULES.values():
        assert page.count(f"\n| {one.id} | {one.severity} |") == 1


#: What takes longer to import than all rules take to run.
SLOW = ("asyncio", "boto3", "botocore", "requests", "rich", "tenacity", "wcmatch")


def test_check_imports_nothing_that_it_does_not_need() -> None:
    code = (
        "import sys\n"
        "from bootstrap.cli import main\n"
        "sys.argv = ['bootstrap', 'check']\n"
        "try:\n    main()\n"
        f"finally:\n    print(sorted(set({SLOW!r}) & sys.modules.keys()), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stderr.strip() == "[]"

"""Outputs for other programs, and sentences where they cannot be written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROVIDER, Project
from test_interrupted import Account, account

from bootstrap import cli
from bootstrap.commands import outputs
from bootstrap.commands.load import load_template
from bootstrap.deploy import apply

ORDERS = PROVIDER + (
    "resources:\n  Resources:\n"
    "    Orders:\n      Type: AWS::SQS::Queue\n      Properties: {QueueName: orders}\n"
    "  Outputs:\n"
    "    OrdersArn:\n      Value: !GetAtt Orders.Arn\n"
    "    Text:\n      Value: it's $HOME\n"
)


def found(project: Project, text: str) -> dict[str, str]:
    template = load_template(project.write(text))
    with account() as context:
        assert isinstance(context, Account)
        deployment = apply(template, context, lambda one, outcome: None)
        return outputs.values(template, deployment.created, context.settings, context.pseudo)


def test_the_definitions_outputs_and_what_resources_are_called(project: Project) -> None:
    shown = found(project, ORDERS)

    assert shown["OrdersArn"] == "arn:aws:sqs:us-east-1:123456789012:orders"
    assert shown["OrdersQueueUrl"].endswith("/orders")
    assert shown["AwsEndpointUrl"] == os.environ.get("AWS_ENDPOINT_URL", "http://localhost:4566")


def test_both_files_and_a_shell_reads_one(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown = found(project, ORDERS)
    monkeypatch.setattr(outputs, "FOLDER", tmp_path / "state")

    outputs.write(shown)

    assert json.loads((tmp_path / "state/outputs.json").read_text()) == shown
    said = subprocess.run(
        ["sh", "-c", '. ./outputs.env; printf "%s|%s" "$TEXT" "$ORDERS_ARN"'],
        cwd=tmp_path / "state",
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"it's $HOME|{shown['OrdersArn']}"
    assert {file.name for file in (tmp_path / "state").iterdir()} == {
        "outputs.json",
        "outputs.env",
    }


def test_an_output_that_refers_to_nothing_is_left_out_with_its_line(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = found(project, ORDERS.replace("GetAtt Orders.Arn", "GetAtt Ordrs.Arn"))

    assert "OrdersArn" not in shown
    assert shown["Text"] == "it's $HOME"
    said = capsys.readouterr().err
    assert said == ("serverless.yml:12:5: the output OrdersArn is left out: there is no 'Ordrs'\n")


def test_outputs_that_cannot_be_written_are_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(outputs, "FOLDER", tmp_path / "file" / "below")

    outputs.write({"A": "1"})

    assert "outputs.json cannot be written: Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_disk_is_a_sentence(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "app", fail)

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said == f"error some/file cannot be written: {os.strerror(number)}.\n"


def test_what_prune_may_be(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bootstrap", "up", "--prune", "some"],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "error PRUNE=some: must be all, or nothing.\n")

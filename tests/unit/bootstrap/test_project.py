"""``APP`` and ``SERVERLESS``: another project's definition, where it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bootstrap import dotenv, project
from bootstrap.commands.load import load_template
from bootstrap.errors import WrongUseError

THEIRS = """\
service: theirs
provider:
  name: aws
  runtime: python3.13
  environment: {GREETING: "${env:GREETING, 'none'}", PORT: "${env:GATEWAY_PORT, 'none'}"}
functions:
  hello: {handler: app.handler}
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("APP", "SERVERLESS", "GREETING", "GATEWAY_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(dotenv, "loaded", set())
    (tmp_path / "serverless.yml").write_text(THEIRS)
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    return tmp_path


def variables(file: Path) -> dict[str, str]:
    function = load_template(file).resources["HelloLambdaFunction"]
    return dict(function.properties["Environment"]["Variables"])


def test_our_own_is_the_default(theirs: Path) -> None:
    assert project.definition() == Path("serverless.yml")


def test_a_folder_a_file_and_an_option(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP", str(theirs))
    assert project.definition() == theirs / "serverless.yml"
    other = theirs / "other.yml"
    other.write_text(THEIRS)
    monkeypatch.setenv("SERVERLESS", str(other))
    assert project.definition() == other
    assert project.definition(Path("given.yml")) == Path("given.yml")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("APP", "/no/such/folder", "APP=/no/such/folder: there is no such folder."),
        ("APP", "nowhere", "APP=nowhere: there is no such folder (seen from "),
        ("SERVERLESS", "/no/such.yml", "SERVERLESS=/no/such.yml: there is no such file."),
    ],
)
def test_a_wrong_path_is_a_sentence(
    theirs: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(WrongUseError) as caught:
        project.definition()

    assert str(caught.value).startswith(said)
    assert caught.value.exit_code == 2


def test_a_folder_without_a_definition_says_where_one_is(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (theirs / "api").mkdir()
    (theirs / "serverless.yml").rename(theirs / "api/serverless.yml")
    monkeypatch.setenv("APP", str(theirs))

    with pytest.raises(WrongUseError, match=f"There is one in {theirs}/api"):
        project.definition()


@pytest.mark.parametrize(("name", "other"), [("APP", "SERVERLESS"), ("SERVERLESS", "APP")])
def test_a_file_for_a_folder_and_the_other_way(
    theirs: Path, monkeypatch: pytest.MonkeyPatch, name: str, other: str
) -> None:
    value = theirs / "serverless.yml" if name == "APP" else theirs
    monkeypatch.setenv(name, str(value))

    with pytest.raises(WrongUseError, match=f"Write {other}={value}"):
        project.definition()


def test_code_is_not_run(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (theirs / "serverless.yml").rename(theirs / "serverless.ts")
    monkeypatch.setenv("APP", str(theirs))

    with pytest.raises(WrongUseError, match=r"serverless\.ts is code, which is not run here"):
        project.definition()


def test_their_env_file_counts_for_them_and_sets_nothing_of_the_stack(theirs: Path) -> None:
    (theirs / ".env").write_text("GREETING=hello\nGATEWAY_PORT=1\n")

    assert variables(theirs / "serverless.yml") == {"GREETING": "hello", "PORT": "1"}
    assert "GATEWAY_PORT" not in os.environ


def test_the_shell_wins_over_their_env_file_and_that_over_ours(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (theirs / ".env").write_text("GREETING=theirs\nGATEWAY_PORT=2\n")
    monkeypatch.setenv("GREETING", "shell")
    monkeypatch.setenv("GATEWAY_PORT", "3")
    dotenv.loaded.add("GATEWAY_PORT")  # as our own .env sets it

    assert variables(theirs / "serverless.yml") == {"GREETING": "shell", "PORT": "2"}


def test_a_line_of_their_env_file_that_cannot_be_understood(theirs: Path) -> None:
    (theirs / ".env").write_text("GREETING='open\n")

    with pytest.raises(WrongUseError, match=r"\.env"):
        load_template(theirs / "serverless.yml")

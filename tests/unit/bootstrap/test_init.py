"""`make init`: what it writes passes the strictest check, and nothing is ever overwritten."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

from bootstrap.checks import examine
from bootstrap.commands.load import load_template
from bootstrap.errors import WrongUseError
from bootstrap.init import write
from bootstrap.init.pieces import ALIASES, PIECES

SOME = [*PIECES, ",".join(PIECES), *map(",".join, itertools.pairwise(PIECES))]


@pytest.mark.parametrize("triggers", SOME)
def test_the_result_passes_the_strict_check(tmp_path: Path, triggers: str) -> None:
    files = write.run(str(tmp_path / "my_shop 2"), triggers)

    report = examine(load_template(tmp_path / "my_shop 2" / "serverless.yml"))

    assert report.findings == []
    assert len(files) == 2 + len(triggers.split(","))
    for file in files:
        if file.suffix == ".py":
            ast.parse(file.read_text())
    assert not list(tmp_path.rglob(".init-*"))


@pytest.mark.parametrize("kind", PIECES)
def test_each_handler_can_be_called(tmp_path: Path, kind: str) -> None:
    write.run(str(tmp_path), kind)
    names: dict[str, object] = {}

    exec((tmp_path / f"handlers/{kind}.py").read_text(), names)

    assert callable(names["handler"])


def test_a_bad_message_does_not_hurt_its_neighbours(tmp_path: Path) -> None:
    write.run(str(tmp_path), "sqs")
    names: dict[str, object] = {}
    exec((tmp_path / "handlers/sqs.py").read_text(), names)
    records = [{"messageId": "1", "body": "{}"}, {"messageId": "2", "body": "no JSON"}]

    answer = names["handler"]({"Records": records}, None)  # type: ignore[operator]  # see above

    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}


def test_nothing_says_an_http_api_and_a_queue(tmp_path: Path) -> None:
    files = write.run(str(tmp_path), "")

    assert {file.name for file in files} == {"serverless.yml", "README.md", "http.py", "sqs.py"}


@pytest.mark.parametrize("there", ["serverless.yml", "serverless.yaml", "handlers/http.py"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    file = tmp_path / there
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(WrongUseError, match=f"{there} is there already. Nothing was written"):
        write.run(str(tmp_path), "http")

    assert sorted(tmp_path.rglob("*")) == before
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("triggers", "said"),
    [
        ("htp", "there is no htp. Did you mean http?"),
        ("kafka", "there is no kafka. There are: http, rest, url"),
        ("http,kafka", "there is no kafka"),
    ],
)
def test_an_unknown_kind(tmp_path: Path, triggers: str, said: str) -> None:
    with pytest.raises(WrongUseError, match=said):
        write.run(str(tmp_path / "new"), triggers)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ALIASES)
def test_the_frameworks_names_are_understood(tmp_path: Path, name: str) -> None:
    write.run(str(tmp_path), name)

    assert (tmp_path / f"handlers/{ALIASES[name]}.py").is_file()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(WrongUseError, match="cannot be written: Not a directory"):
        write.run(str(tmp_path / "file" / "below"), "http")
    with pytest.raises(WrongUseError, match="is a file"):
        write.run(str(tmp_path / "file"), "http")
    with pytest.raises(WrongUseError, match="Say where"):
        write.run("", "http")

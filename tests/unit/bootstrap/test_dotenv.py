"""`.env` by Docker Compose's rules: "Syntax for environment files in Docker Compose"."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bootstrap import dotenv
from bootstrap.errors import WrongUseError

ROOT = Path(__file__).parents[3]
#: What the file has, and the value of VAR.
RULES = {
    "plain": ("VAR=VAL", "VAL"),
    "empty": ("VAR=", ""),
    "in double quotes": ('VAR="VAL"', "VAL"),
    "in single quotes": ("VAR='VAL'", "VAL"),
    "empty in quotes": ("VAR=\"\"\nOTHER=''", ""),
    "a comment and an empty line": ("# VAR=no\n\n  # VAR=no\nVAR=VAL", "VAL"),
    "a comment behind a space": ("VAR=VAL # comment", "VAL"),
    "no space, no comment": ("VAR=VAL# not a comment", "VAL# not a comment"),
    "nothing but a comment": ("VAR= # comment", ""),
    "a comment in quotes": ('VAR="VAL # not a comment"', "VAL # not a comment"),
    "a comment behind double quotes": ('VAR="VAL" # comment', "VAL"),
    "a comment behind single quotes": ("VAR='VAL' # comment", "VAL"),
    "spaces around": ("  VAR = VAL  ", "VAL"),
    "spaces within": ("VAR=a  b", "a  b"),
    "spaces in quotes": ('VAR=" a "', " a "),
    "an equals sign": ("VAR=a=b", "a=b"),
    "a colon as separator": ("VAR: VAL", "VAL"),
    "a colon in the value": ("VAR=debian@sha256:abc", "debian@sha256:abc"),
    "export": ("export VAR=VAL", "VAL"),
    "export and quotes": ("export\tVAR='VAL'", "VAL"),
    "a name that begins with export": ("exportVAR=no\nVAR=VAL", "VAL"),
    "the last one wins": ("VAR=one\nOTHER=x\nVAR=two", "two"),
    "an empty one wins": ("VAR=one\nVAR=", ""),
    "Windows' line ends": ("OTHER=x\r\nVAR=VAL\r\n", "VAL"),
    "Windows' line ends and quotes": ("VAR='VAL'\r\nOTHER=x\r\n", "VAL"),
    "a byte order mark": ("\ufeffVAR=VAL", "VAL"),
    "no line end": ("OTHER=x\nVAR=VAL", "VAL"),
    "quotes within": ('VAR=it\'s "VAL"', 'it\'s "VAL"'),
    "an escaped single quote": (r"VAR='Let\'s go!'", "Let's go!"),
    "escaped double quotes": (r'VAR="{\"hello\": \"json\"}"', '{"hello": "json"}'),
    "escapes in double quotes": (r'VAR="some\tvalue\n\r\\"', "some\tvalue\n\r\\"),
    "no escapes in single quotes": (r"VAR='some\tvalue'", r"some\tvalue"),
    "no escapes without quotes": (r"VAR=some\tvalue", r"some\tvalue"),
    "over several lines": ('VAR="SOME\nVALUE"', "SOME\nVALUE"),
    "over several lines, literally": ("VAR='SOME\n$VALUE'", "SOME\n$VALUE"),
    "a reference": ("A=1\nVAR=${A}/x", "1/x"),
    "a reference without braces": ("A=1\nVAR=$A/x", "1/x"),
    "a reference in double quotes": ('A=1\nVAR="${A} $A"', "1 1"),
    "single quotes are literal": ("A=1\nVAR='$A ${A}'", "$A ${A}"),
    "a reference to nothing": ("VAR=<${A}$A>", "<>"),
    "a reference to what comes later": ("VAR=<${A}>\nA=1", "<>"),
    "a reference to the environment": ("VAR=${SHELL_HAS}", "it"),
    "the environment wins in references": ("SHELL_HAS=other\nVAR=${SHELL_HAS}", "it"),
    "a default when unset": ("VAR=${A:-default}", "default"),
    "a default when empty": ("A=\nVAR=${A:-default}", "default"),
    "no default when set": ("A=1\nVAR=${A:-default}", "1"),
    "the other default when unset": ("VAR=${A-default}", "default"),
    "no other default when empty": ("A=\nVAR=<${A-default}>", "<>"),
    "a default within a default": ("B=2\nVAR=${A:-${C:-$B}}", "2"),
    "a replacement when set": ("A=1\nVAR=${A:+other}", "other"),
    "no replacement when empty": ("A=\nVAR=<${A:+other}>", "<>"),
    "the other replacement when empty": ("A=\nVAR=${A+other}", "other"),
    "a required one that is there": ("A=1\nVAR=${A:?missing}", "1"),
    "a doubled dollar sign": ("A=1\nVAR=$$A", "$A"),
    "an escaped dollar sign": ('A=1\nVAR="\\$A"', "$A"),
    "a dollar sign alone": ("VAR=5$ or $5", "5$ or $5"),
    "what the environment has wins": ("SHELL_HAS=other\nVAR=$SHELL_HAS", "it"),
    "a name that no shell knows": ("some.name-x=1\nVAR=VAL", "VAL"),
    "a name alone": ("OTHER\nVAR=VAL", "VAL"),
    "what a shell would run": ("VAR=$(id) `id`; id", "$(id) `id`; id"),
    "other letters": ("VAR=Grüße", "Grüße"),
}
#: What the file has, and what the sentence says.
MISTAKES = {
    "no name": ("A=1\nmake it so\n", ".env:2: must be NAME=value"),
    "no end of quotes": ('A=1\nB="x\ny\n', '.env:2: has a value whose " is never closed'),
    "something behind quotes": ("A='x'y\n", ".env:1: has something behind the closing '"),
    "no end of braces": ("A=${B\n", ".env:1: has a ${ that is never closed"),
    "an unknown form": ("A=${B/x/y}\n", ".env:1: has ${B/x/y}, which is no form"),
    "a required one that is missing": ("A=${B:?say which}\n", ".env:1: needs B: say which"),
}
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "SHELL_HAS": "it"}


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(".env")


@pytest.mark.parametrize("rule", RULES)
def test_what_a_line_sets(env_file: Path, rule: str) -> None:
    text, value = RULES[rule]
    env_file.write_bytes(text.encode())

    assert dotenv.read(env_file, ENVIRONMENT)["VAR"] == value


@pytest.mark.parametrize("rule", RULES)
def test_the_shell_reads_the_same(env_file: Path, rule: str) -> None:
    text, value = RULES[rule]
    env_file.write_bytes(text.encode())
    Path("scripts").symlink_to(ROOT / "scripts")

    said = subprocess.run(
        ["sh", "-euc", ". scripts/settings.sh; setting VAR; printf ."],
        env=ENVIRONMENT,
        capture_output=True,
        check=True,
    )

    assert said.stdout.decode() == value + "."


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_understood_is_named_with_its_line(env_file: Path, mistake: str) -> None:
    text, sentence = MISTAKES[mistake]
    env_file.write_text(text)

    with pytest.raises(WrongUseError) as caught:
        dotenv.read(env_file, ENVIRONMENT)

    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("value", ["shell", ""])
def test_what_is_set_in_the_shell_wins(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    env_file.write_text("VAR=file\nNEW=file\n")
    monkeypatch.setenv("VAR", value)
    monkeypatch.setenv("NEW", "")  # so that what is loaded is undone
    monkeypatch.delenv("NEW")

    dotenv.load(env_file)

    assert (os.environ["VAR"], os.environ["NEW"]) == (value, "file")


def test_no_file_sets_nothing(env_file: Path) -> None:
    assert dotenv.read(env_file) == {}


def test_the_example_sets_the_defaults() -> None:
    values = dotenv.read(ROOT / ".env.example", ENVIRONMENT)

    assert (values["GATEWAY_PORT"], values["RUNTIME"]) == ("4566", "")

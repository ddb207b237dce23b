"""``${…}``: what each source gives, defaults, nesting, cycles, and what is CloudFormation's."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Project

from bootstrap.definition.variables import resolve_variables
from bootstrap.errors import DefinitionError


@pytest.fixture
def resolved(project: Project) -> Any:
    """The value of ``value:`` after resolution, with ``rest`` below it in the file."""

    def resolve(
        value: str, rest: str = "", *, env: dict[str, str] | None = None, **options: str
    ) -> Any:
        document = project.document(f"value: {value}\n{rest}")
        resolve_variables(document, environment=env or {}, options=options)
        return document.data["value"]

    return resolve


def test_self(resolved: Any) -> None:
    assert resolved("${self:custom.name}", "custom: {name: x}") == "x"


def test_self_keeps_the_type_of_a_whole_value(resolved: Any) -> None:
    rest = "custom: {number: 3, yes: true, list: [1, 2], map: {a: {b: c}}}"

    assert resolved("${self:custom.number}", rest) == 3
    assert resolved("${self:custom.yes}", rest) is True
    assert resolved("${self:custom.list}", rest) == [1, 2]
    assert resolved("${self:custom.list.1}", rest) == 2
    assert resolved("${self:custom.map}", rest) == {"a": {"b": "c"}}


def test_inside_text_values_are_written_as_javascript_does(resolved: Any) -> None:
    rest = "custom: {number: 3, whole: 2.0, half: 0.5, yes: true}"
    text = "${self:custom.number}/${self:custom.whole}/${self:custom.half}/${self:custom.yes}"

    assert resolved(f"'<{text}>'", rest) == "<3/2/0.5/true>"


def test_env(resolved: Any) -> None:
    assert resolved("${env:NAME}", env={"NAME": "x"}) == "x"
    assert resolved("${env:NAME, 'default'}") == "default"


def test_an_empty_environment_variable_is_a_value(resolved: Any) -> None:
    assert resolved("${env:NAME, 'default'}", env={"NAME": ""}) == ""


def test_opt_and_stage(resolved: Any) -> None:
    assert resolved("${opt:stage, 'local'}", stage="prod") == "prod"
    assert resolved("${opt:stage, 'local'}") == "local"
    assert resolved("${sls:stage}", "provider: {stage: two}", stage="prod") == "prod"
    assert resolved("${sls:stage}", "provider: {stage: '${opt:stage, \"two\"}'}") == "two"
    assert resolved("${sls:stage}") == "dev"


@pytest.mark.parametrize(
    ("default", "meant"),
    [
        ("'text'", "text"),
        ('"text"', "text"),
        ("''", ""),
        ("'with, comma and } bracket'", "with, comma and } bracket"),
        (r'"a \" quote"', 'a " quote'),
        ("3", 3),
        ("-1", -1),
        ("0.5", 0.5),
        ("true", True),
        ("false", False),
        ("null", None),
        ("self:custom.name", "mine"),
        ("opt:missing, env:MISSING, self:custom.name", "mine"),
    ],
)
def test_defaults(project: Project, default: str, meant: Any) -> None:
    document = project.document("custom: {name: mine}\nvalue: placeholder\n")
    document.data["value"] = f"${{env:NOT_SET, {default}}}"

    resolve_variables(document, environment={}, options={})

    assert document.data["value"] == meant
    assert type(document.data["value"]) is type(meant)


def test_variables_inside_addresses(resolved: Any) -> None:
    rest = "custom: {prod: {size: 9}, which: prod}"

    assert resolved("${self:custom.${opt:stage}.size}", rest, stage="prod") == 9
    assert resolved("${self:custom.${self:custom.which}.size}", rest) == 9
    assert resolved("${self:custom.${opt:stage, 'prod'}.size, 1}", rest) == 9
    assert resolved("${self:custom.${opt:stage, 'none'}.size, 1}", rest) == 1


def test_values_that_are_variables_themselves(resolved: Any) -> None:
    rest = "custom: {a: '${self:custom.b}', b: '${env:B}', c: '${self:custom.d}', d: {e: f}}"

    assert resolved("'${self:custom.a}!'", rest, env={"B": "end"}) == "end!"
    assert resolved("${self:custom.c.e}", rest, env={"B": "end"}) == "f"


@pytest.mark.parametrize(
    "text",
    [
        "${AWS::Region}",
        "arn:${AWS::Partition}:s3:::${Bucket}/*",
        "${Bucket.Arn}/x",
        "${BrandsTable.Arn}/index/*",
        "${!Literal}",
        "${}",
        "${ self:service }",
        "${",
        "$self:x",
        "${bucket}",
    ],
)
def test_what_belongs_to_cloudformation_is_left_alone(project: Project, text: str) -> None:
    document = project.document("value: x")
    document.data["value"] = {"Fn::Sub": text}

    resolve_variables(document, environment={}, options={})

    assert document.data["value"] == {"Fn::Sub": text}


def test_both_kinds_in_one_text(resolved: Any) -> None:
    assert (
        resolved('!Sub "${AWS::Region}-${self:custom.name}-${Queue.Arn}"', "custom: {name: x}")
        == {"Fn::Sub": "${AWS::Region}-x-${Queue.Arn}"}
    )  # fmt: skip  # one comparison


def test_an_escaped_variable_is_text(resolved: Any) -> None:
    assert resolved(r"'\${self:custom.name}'") == "${self:custom.name}"
    assert resolved(r"'\\${self:custom.name}'", "custom: {name: x}") == "\\x"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${env:NOT_SET}", r"\$\{env:NOT_SET\} has no value. Set it, or give a default: "
                           r"\$\{env:NOT_SET, 'default'\}"),
        ("${self:no.such.key}", "has no value"),
        ("${self:list.7}", "has no value"),
        ("${file(./x.yml):a}", "has no value"),
        ("${git:sha1}", "“git” is not supported here. Supported: self,"),
        ("${sls:requestId}", "sls:requestId is not supported here. Supported: stage"),
        ("${env:NOT_SET, plain}", "the default “plain” is neither a number nor text in quotes"),
        ("${env:NOT_SET, 'a' b}", "neither a number nor text in quotes"),
        ("${self:list", "closing bracket “}” is missing"),
        ("a ${self:list} b", r"\$\{self:list\} is not text, but stands inside text"),
        ("a ${self:nothing, null} b", "is not text, but stands inside text"),
        ("${self:value}", "refers to itself"),
        ("${self:}", "refers to itself"),
        ("${env:LOOP}", "refers to itself"),
    ],
)  # fmt: skip  # one case a line
def test_what_cannot_be_resolved(project: Project, value: str, said: str) -> None:
    document = project.document("list: [1]\nnested:\n  value: x\n")
    document.data["nested"] = {"value": value}
    document.data["value"] = "${self:nested.value}"

    with pytest.raises(DefinitionError, match=said):
        resolve_variables(document, environment={"LOOP": "${env:LOOP}"}, options={})


def test_two_values_that_refer_to_each_other(project: Project) -> None:
    document = project.document("one: '${self:two}'\ntwo: 'x ${self:one}'\n")

    with pytest.raises(DefinitionError, match="refers to itself"):
        resolve_variables(document, environment={}, options={})


def test_the_line_is_that_of_the_value(project: Project) -> None:
    document = project.document("service: shop\ncustom:\n  list:\n    - a\n    - ${env:NOT_SET}\n")

    with pytest.raises(DefinitionError) as caught:
        resolve_variables(document, environment={}, options={})

    assert caught.value.line == 5


def test_values_of_values_do_not_fill_the_memory(project: Project) -> None:
    levels = "".join(f"l{n}: [{', '.join([f'"${{self:l{n - 1}}}"'] * 10)}]\n" for n in range(1, 12))
    document = project.document("l0: [x]\n" + levels)

    with pytest.raises(DefinitionError, match="expand to over"):
        resolve_variables(document, environment={}, options={})


def test_text_of_text_does_not_fill_the_memory(project: Project) -> None:
    levels = "".join(f"l{n}: {f'${{self:l{n - 1}}}' * 10}\n" for n in range(1, 9))
    document = project.document(f"l0: {'x' * 1000}\n" + levels)

    with pytest.raises(DefinitionError, match="grows beyond"):
        resolve_variables(document, environment={}, options={})

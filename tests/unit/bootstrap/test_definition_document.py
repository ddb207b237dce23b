"""Reading the file: lines, CloudFormation's short forms, and everything that is not YAML."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Project

from bootstrap.definition.document import load_document
from bootstrap.errors import EXIT_WRONG_INPUT, DefinitionError


def test_every_key_and_item_knows_its_line(project: Project) -> None:
    document = project.document(
        """\
        service: shop

        functions:
          greet:
            handler: app.handler
            events:
              - httpApi: GET /
              - s3: {bucket: uploads,
                     event: s3:ObjectCreated:*}
        """
    )

    assert document.line(("service",)) == 1
    assert document.line(("functions", "greet", "handler")) == 5
    assert document.line(("functions", "greet", "events", 1)) == 8
    assert document.line(("functions", "greet", "events", 1, "s3", "event")) == 9


def test_the_line_of_what_is_not_there_is_that_of_what_should_hold_it(project: Project) -> None:
    document = project.document("service: shop\nfunctions:\n  greet:\n    timeout: 3\n")

    assert document.line(("functions", "greet", "handler")) == 3
    assert document.line(("provider", "name")) is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("!Ref Queue", {"Ref": "Queue"}),
        ("!GetAtt Queue.Arn", {"Fn::GetAtt": ["Queue", "Arn"]}),
        ("!GetAtt Nested.Outputs.Arn", {"Fn::GetAtt": ["Nested", "Outputs.Arn"]}),
        ("!GetAtt [Queue, Arn]", {"Fn::GetAtt": ["Queue", "Arn"]}),
        ("!Sub '${Queue}-x'", {"Fn::Sub": "${Queue}-x"}),
        ("!Sub ['${a}', {a: !Ref Queue}]", {"Fn::Sub": ["${a}", {"a": {"Ref": "Queue"}}]}),
        ("!Join ['-', [a, !Ref Queue]]", {"Fn::Join": ["-", ["a", {"Ref": "Queue"}]]}),
        ("!Ref 123", {"Ref": "123"}),
    ],
)
def test_short_forms_are_written_out(project: Project, written: str, meant: object) -> None:
    assert project.document(f"value: {written}").data == {"value": meant}


def test_short_forms_in_block_style(project: Project) -> None:
    document = project.document(
        """\
        value: !Join
          - ","
          - - !Ref One
            - two
        """
    )

    assert document.data == {"value": {"Fn::Join": [",", [{"Ref": "One"}, "two"]]}}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2012-10-17", "2012-10-17"),  # IAM's policy version is text
        ("'2012-10-17'", "2012-10-17"),
        ("yes", "yes"),  # YAML 1.2
        ("true", True),
        ("~", None),
        ("0x10", 16),
        ("1.5", 1.5),
        ("000000000000", 0),
        ("'000000000000'", "000000000000"),
        ("22:22", "22:22"),
    ],
)
def test_plain_values(project: Project, written: str, meant: object) -> None:
    value = project.document(f"value: {written}").data["value"]

    assert value == meant
    assert type(value) is type(meant)


def test_keys_are_text_as_written(project: Project) -> None:
    assert project.document("1: a\ntrue: b\nnull: c\n").data == {"1": "a", "true": "b", "null": "c"}


def test_anchors_and_merges(project: Project) -> None:
    document = project.document(
        """\
        base: &base
          memorySize: 256
          timeout: 5
        more: &more {timeout: 7, layers: [a]}
        merged:
          <<: [*base, *more]
          timeout: 9
        alias: *base
        """
    )

    assert document.data["merged"] == {"memorySize": 256, "timeout": 9, "layers": ["a"]}
    assert document.data["alias"] == {"memorySize": 256, "timeout": 5}
    assert document.line(("merged", "timeout")) == 7


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("service: [shop\nprovider: x\n", 2, "expected ',' or ']'"),
        ("service: shop\n  provider: x\n", 2, "mapping values are not allowed"),
        ("service: shop\n\tprovider: x\n", 2, "a tab character that violates indentation"),
        ("service: 'shop\n", 2, "unexpected end of stream"),
        ("service: *nowhere\n", 1, "undefined alias"),
        ("service: shop\nservice: again\n", 2, "stands here twice; the first is on line 1"),
        ("a: 1\n---\nb: 2\n", 2, "but found another document"),
        ("a: !Unknown x\n", 1, "!Unknown is not supported here. Supported: !Ref"),
        ("a: 1\nb: !!binary aGk=\n", 2, "cannot be read as binary"),
        ("a: 1\nb: .nan\n", 2, "cannot be read as float"),
        ("a: 1\n? [b, c]\n: d\n", 2, "a key must be plain text"),
        ("a: 1\n<<: b\n", 2, "takes a mapping"),
        ("a: 1\nb: &b [*b]\n", 2, "alias that contains itself"),
        ("a: 1\nb: &b {c: {d: *b}}\n", 2, "alias that contains itself"),
        ("a: &a {<<: *a}\n", 1, "merge of itself"),
        ("a: 1\nb\x00: 2\n", 2, "character 0 is not allowed"),
        ("a: " + "[" * 5000, 1, "nested too deeply"),
        ("- " * 5000, 1, "nested too deeply"),
        ("a: 1\nb: " + "{a: " * 70 + "1" + "}" * 70, 2, "nested too deeply"),
        ("a: " + "9" * 5000, 1, "cannot be read as int"),
        ("%YAML 9.0\n---\na: b\n", 1, "incompatible YAML document"),
    ],
)
def test_what_is_not_usable_is_refused_with_its_line(
    project: Project, text: str, line: int, said: str
) -> None:
    project.file.write_text(text)

    with pytest.raises(DefinitionError, match=said) as caught:
        load_document(project.file)

    assert caught.value.line == line
    assert str(caught.value).startswith(f"serverless.yml:{line}:")
    assert caught.value.exit_code == EXIT_WRONG_INPUT


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- list\n", "just text", "!!set {a, b}"])
def test_the_top_must_be_a_mapping(project: Project, text: str) -> None:
    project.file.write_text(text)

    with pytest.raises(DefinitionError, match="must be a mapping with the keys service"):
        load_document(project.file)


def test_aliases_of_aliases_do_not_fill_the_memory(project: Project) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 12))
    project.file.write_text("l0: &l0 [x]\n" + levels)

    with pytest.raises(DefinitionError, match="aliases expand to over"):
        load_document(project.file)


def test_not_utf8(project: Project) -> None:
    project.file.write_bytes("service: caf\u00e9\n".encode("latin-1"))

    with pytest.raises(DefinitionError, match=r"is not UTF-8 text .* at byte 12") as caught:
        load_document(project.file)
    assert caught.value.line is None


def test_a_byte_order_mark_is_no_part_of_the_first_key(project: Project) -> None:
    assert project.document(b"\xef\xbb\xbfservice: shop\n").data == {"service": "shop"}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"not found in .*or name the file with --file"):
        load_document(tmp_path / "serverless.yml")


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="cannot be read: Is a directory"):
        load_document(tmp_path)

"""Whatever is wrong in a definition or in a function's code, ``check`` ends with findings.

The files are the repository's own, each with a few mutations: parts dropped, copied, exchanged and
replaced. A seed that fails is in the name of the test. ``FUZZ_MUTANTS`` says how many there are.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.checks import everything, examine, formats
from bootstrap.commands.check import Format, run
from bootstrap.commands.load import load_template
from bootstrap.errors import DefinitionError

ROOT = Path(__file__).parents[3]
MUTANTS_OF_A_SEED = 3
#: How many definitions are mutated; by hand as many as there is time for: make fuzz MUTANTS=100000
MUTANTS = int(os.environ.get("FUZZ_MUTANTS") or 24)
SEEDS = range(-(-MUTANTS // MUTANTS_OF_A_SEED))
MOST_SECONDS = 20  # of the processor: a busy machine takes longer
MOST_TEXT = 20_000
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 3, 65, 10**30, 0.5, "true", "FALSE", "3", "-1", "0.5",
    "", "x", "*", "${", "${x}", "${A.Arn}", "arn:",
    "arn:aws:sqs:us-east-1:1:d", "arn:aws:sqs:eu-west-1:1:brand-index-dlq", "aws.s3", "default",
    "GET /{a}{b}", "GET /brand/{x}", "/x", "*.png", "rate(1 hour)", "cron(0 0 31 2 ? 2000)", "<x>",
    "s3:*", "AKIAIOSFODNN7EXAMPLE", [], [[]], [None], {}, {"Ref": "BrandsTable"}, {"Ref": "No"},
    {"Fn::GetAtt": ["BrandIndexQueue", "Arn"]}, {"Fn::GetAtt": ["ProcessLogoDlq", "Arn"]},
    {"Fn::Sub": "${BrandIndexQueue.Arn}"}, {"Fn::Sub": ["${x}", {"x": {"Ref": "BrandBroadcast"}}]},
    {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}]]}, {"exists": True}, [{"exists": True}],
    [{"prefix": 1}], [{"numeric": [">"]}], {"$or": [{}]}, {"$or": [{"source": ["x"]}] * 3},
    [{"anything-but": {"prefix": "x"}}], "app.handler", "functions/put_brand/handler.handler",
]  # fmt: skip
KEYS = [
    "DeadLetterConfig", "EventBusName", "EventPattern", "FifoQueue", "InputTransformer",
    "RedrivePolicy", "RoleArn", "detail", "detailType", "destinations", "enabled", "environment",
    "filterPatterns", "reservedConcurrency", "source", "timeout", "$or", "Principal", "Statement",
    "Targets",
]  # fmt: skip


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as they are written out."""


def _intrinsic(loader: Any, suffix: str, node: Any) -> Any:
    name = suffix if suffix == "Ref" else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        text = loader.construct_scalar(node)
        return {name: text.split(".", 1) if suffix == "GetAtt" else text}
    return {name: loader.construct_sequence(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from places(node[key])


def mutate(tree: Any, chance: random.Random) -> None:
    """Change one thing."""
    owner, key = chance.choice(list(places(tree)))
    other, other_key = chance.choice(list(places(tree)))
    match chance.randrange(6):
        case 0:
            del owner[key]
        case 1 | 2:
            owner[key] = json.loads(json.dumps(chance.choice(VALUES)))
        case 3:
            owner[key] = json.loads(json.dumps(other[other_key]))
        case 4 if isinstance(owner, dict):
            owner[chance.choice(KEYS)] = json.loads(json.dumps(chance.choice(VALUES)))
        case 4 | 5 if isinstance(owner, list):
            owner.append(json.loads(json.dumps(owner[key])))
        case _:
            owner[key] = json.loads(json.dumps(chance.choice(VALUES)))


def mutate_code(code: str, chance: random.Random) -> str:
    """Drop, copy or exchange lines, or a few characters."""
    lines = code.splitlines(keepends=True)
    for _ in range(chance.randrange(1, 4)):
        here, there = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(4):
            case 0:
                lines[here] = ""
            case 1:
                lines[here] = lines[there]
            case 2:
                text = lines[here]
                cut = chance.randrange(len(text) + 1)
                lines[here] = text[:cut] + chance.choice("(){}[]:.,'\"\\\0é#=*@") + text[cut + 1 :]
            case _:
                words = lines[here].split(" ")
                chance.shuffle(words)
                lines[here] = " ".join(words)
    return "".join(lines)


@pytest.fixture(scope="module")
def definition() -> Any:
    tree = yaml.load((ROOT / "serverless.yml").read_text(encoding="utf-8"), _Loader)
    tree.pop("layers")
    for function in tree["functions"].values():
        function.pop("layers", None)
    return tree


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The functions, once for all mutants of a worker, which come one after the other."""
    made = tmp_path_factory.mktemp("mutants")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "functions", made / "functions", symlinks=True, ignore=ignored)
    return made


def examined(file: Path) -> None:
    """Look at a file in every format; the time is bounded and nothing but a sentence is raised."""
    began = time.process_time()
    try:
        report = examine(load_template(file))
    except DefinitionError as error:
        assert str(everything(error)).startswith("serverless.yml")
        for one in error.errors:
            assert one.message
            assert len(str(one)) < MOST_TEXT
    else:
        assert json.loads(formats.as_json(report, file.name))["findings"] is not None
        assert json.loads(formats.as_sarif(report))["version"] == "2.1.0"
        for finding in report.findings:
            assert finding.what
            assert finding.line >= 0
    assert time.process_time() - began < MOST_SECONDS


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mutated_definition(seed: int, definition: Any, folder: Path) -> None:
    chance = random.Random(seed)
    file = folder / "serverless.yml"
    for _ in range(MUTANTS_OF_A_SEED):
        tree = json.loads(json.dumps(definition))
        for _ in range(chance.choice((1, 1, 2, 4))):
            parts = [tree, tree.get("functions"), tree.get("resources")]
            mutate(chance.choice([p for p in parts if isinstance(p, dict) and p]), chance)
        text = yaml.dump(tree, Dumper=yaml.CSafeDumper, sort_keys=False)
        file.write_text(text, encoding="utf-8")
        examined(file)


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_code(seed: int, folder: Path) -> None:
    chance = random.Random(seed)
    text = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    start, end = text.index("\nlayers:"), text.index("\nfunctions:")
    text = text[:start] + text[end:].replace("    layers: [!Ref DependenciesLambdaLayer]\n", "")
    file = folder / "serverless.yml"
    file.write_text(text, encoding="utf-8")
    modules = sorted(
        path for path in (folder / "functions").rglob("*.py") if path.read_text().strip()
    )
    before = {module: module.read_text(encoding="utf-8") for module in chance.sample(modules, 5)}
    try:
        for module, code in before.items():
            module.write_text(mutate_code(code, chance), encoding="utf-8")
            examined(file)
    finally:
        for module, code in before.items():
            module.write_text(code, encoding="utf-8")


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_bytes(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    content = bytearray((ROOT / "serverless.yml").read_bytes())
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(content))
        content[at : at + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
    file = tmp_path / "serverless.yml"
    file.write_bytes(bytes(content))
    with contextlib.suppress(DefinitionError), contextlib.redirect_stdout(io.StringIO()):
        assert run(file, Format.JSON, strict=True) in (0, 1, 2)

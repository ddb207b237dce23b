"""Mutants of definitions and of functions' code: what ``make fuzz`` gives to the check.

Most are mutants of small definitions, which are read in a few milliseconds: those that are
compared with osls, a new project of ``make init``, and each function of the repository's own
``serverless.yml`` with what it needs. A mutant is made from its number alone:
``FUZZ_ONLY=617`` makes no other.
"""

from __future__ import annotations

import copy
import os
import pickle
import random
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import batched
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.checks.sources import Sources
from bootstrap.commands.load import load_template
from bootstrap.init import write
from bootstrap.init.pieces import PIECES

ROOT = Path(__file__).parents[2]
OSLS = ROOT / "tests/osls"
#: How many mutants of all kinds; by hand as many as there is time for: make fuzz MUTANTS=100000
MUTANTS = int(os.environ.get("FUZZ_MUTANTS") or 600)
#: The number of the only mutant to make of each kind, to look at one that failed.
ONLY = os.environ.get("FUZZ_ONLY")
#: What part of the mutants is of a kind, in percent.
SHARES = {
    "small definition": 45,
    "whole definition": 10,
    "code": 12,
    "bytes": 13,
    "generated": 20,  # by hypothesis
}
#: How many of a kind one test looks at, at most: it ends within a few seconds.
OF_A_TEST = {"small definition": 250, "whole definition": 15, "code": 200, "bytes": 250}
WORKERS = 4  # that a few mutants are spread over
MOST_SECONDS = 5  # of the processor, for one: a busy machine takes longer
MOST_FAILURES = 5  # of one test, which then ends

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


@dataclass(eq=False)
class Project:
    """A definition to mutate.

    Attributes:
        folder: its own copy, where mutants are written to.
        text: as a user would write it.
        tree: the same as plain data, which stays as it is.
    """

    name: str
    folder: Path
    text: str
    tree: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.tree = yaml.load(self.text, _Loader)

    @property
    def file(self) -> Path:
        return self.folder / "serverless.yml"

    def write(self, tree: Any) -> None:
        text = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        self.file.write_text(text, encoding="utf-8")

    @cached_property
    def modules(self) -> dict[Path, str]:
        """The code that the check of the definition reads."""
        self.file.write_text(self.text, encoding="utf-8")
        sources = Sources(self.folder.resolve())
        for resource in load_template(self.file).resources.values():
            if resource.type == "AWS::Lambda::Function":
                sources.code(resource)
        return {one.file: one.text for one in sources.modules if one.text.strip()}

    def copy(self) -> Any:
        """The tree, to change."""
        return pickle.loads(self.pickled)  # a deep copy takes longer than the check

    @cached_property
    def pickled(self) -> bytes:
        return pickle.dumps(self.tree)


class _Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short forms as they are written out, and dates as text."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as PyYAML declares it
        first: [(tag, pattern) for tag, pattern in known if not tag.endswith(":timestamp")]
        for first, known in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


class _Dumper(yaml.CSafeDumper):
    """Writes a value that stands in two places twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _intrinsic(loader: Any, suffix: str, node: Any) -> Any:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        text = loader.construct_scalar(node)
        return {name: text.split(".", 1) if suffix == "GetAtt" else text}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    return {name: loader.construct_sequence(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


# --- What is mutated


@dataclass(frozen=True)
class Projects:
    """Every definition that is mutated."""

    small: list[Project]
    whole: list[Project]


def projects(folder: Path) -> Projects:
    """Copies of all of them below ``folder``."""
    small = [*_compared(folder), _new_project(folder / "init")]
    platform = _platform(folder / "platform")
    small += _slices(platform)
    everything = _copied("everything", OSLS / "everything", folder / "everything")
    return Projects(small, [platform, everything])


def _compared(folder: Path) -> Iterator[Project]:
    fixtures = OSLS / "fixtures"
    shutil.copytree(fixtures / "shared", folder / "shared")
    for file in sorted(fixtures.glob("*.yml")):
        yield Project(file.stem, folder / "shared", file.read_text(encoding="utf-8"))
    yield _copied("edge", OSLS / "edge", folder / "edge")


def _copied(name: str, source: Path, folder: Path) -> Project:
    shutil.copytree(source, folder)
    return Project(name, folder, (folder / "serverless.yml").read_text(encoding="utf-8"))


def _new_project(folder: Path) -> Project:
    write.run(str(folder), ",".join(PIECES))
    return Project("init", folder, (folder / "serverless.yml").read_text(encoding="utf-8"))


def _platform(folder: Path) -> Project:
    """The repository's own, without its layer, which may not be built."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "functions", folder / "functions", symlinks=True, ignore=ignored)
    text = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    start, end = text.index("\nlayers:"), text.index("\nfunctions:")
    text = text[:start] + text[end:].replace("    layers: [!Ref DependenciesLambdaLayer]\n", "")
    return Project("platform", folder, text)


def _slices(platform: Project) -> Iterator[Project]:
    """Each function of a definition with the resources that it names, and that those name."""
    for name, function in platform.tree["functions"].items():
        tree = platform.copy()
        tree["functions"] = {name: function}
        provider, resources = tree["provider"], tree["resources"]["Resources"]
        if "authorizer" not in str(function):
            del provider["httpApi"]["authorizers"]
        kept = _named([function, provider["httpApi"]], resources)
        tree["resources"] = {"Resources": {key: resources[key] for key in kept}}
        role = provider["iam"]["role"]
        role["statements"] = [
            one for one in role["statements"] if _named(one["Resource"], resources) <= kept
        ]
        text = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        yield Project(f"platform, {name}", platform.folder, text)


def _named(node: Any, resources: dict[str, Any]) -> set[str]:
    """The resources whose names stand in ``node``, and in those."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        words = set(re.findall(r"\w+", str(waiting.pop())))
        new = {key for key in resources if key in words} - found
        found |= new
        waiting += [resources[key] for key in new]
    return found


# --- How


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        yield node, key
        if isinstance(node[key], dict | list):
            yield from places(node[key])


def mutate(tree: Any, donor: Any, chance: random.Random) -> None:
    """Change one thing.

    Args:
        donor: another tree, to take things from.
    """
    here = list(places(tree))
    owner, key = chance.choice(here)
    match chance.randrange(8):
        case 0:
            del owner[key]
        case 1 | 2:
            owner[key] = copy.deepcopy(chance.choice(VALUES))
        case 3:
            _give(owner, key, here, chance)
        case 4 if isinstance(owner, dict):
            owner[chance.choice(KEYS)] = copy.deepcopy(chance.choice(VALUES))
        case 4 | 5 if isinstance(owner, list):
            owner.append(copy.deepcopy(owner[key]))
        case 6 | 7:  # what stands elsewhere under the same key: another event, another type
            there = list(places(donor))
            same = [(one, name) for one, name in there if name == key] or there
            _give(owner, key, same, chance)
        case _:
            owner[key] = copy.deepcopy(chance.choice(VALUES))


def _give(owner: Any, key: Any, there: list[tuple[Any, Any]], chance: random.Random) -> None:
    other, other_key = chance.choice(there)
    owner[key] = copy.deepcopy(other[other_key])


def mutant(project: Project, donor: Project, chance: random.Random) -> Any:
    """The tree of a project with a few mutations."""
    tree = project.copy()
    for _ in range(chance.choice((1, 1, 1, 1, 2, 4))):
        parts = [tree, tree.get("functions"), tree.get("resources")]
        mutate(chance.choice([p for p in parts if isinstance(p, dict) and p]), donor.tree, chance)
    return tree


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


def mutate_bytes(text: str, chance: random.Random) -> bytes:
    """Exchange a few bytes."""
    content = bytearray(text.encode())
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(content))
        content[at : at + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
    return bytes(content)


# --- How many


def share(kind: str) -> int:
    """How many mutants are of a kind."""
    return max(1, MUTANTS * SHARES[kind] // 100)


def numbers(kind: str) -> list[Any]:
    """The numbers of a kind's mutants, as the parameters of its tests."""
    known = range(share(kind)) if ONLY is None else range(int(ONLY), int(ONLY) + 1)
    most = min(OF_A_TEST[kind], -(-share(kind) // WORKERS))
    parts = batched(known, most)
    return [pytest.param(part, id=f"{part[0]}-{part[-1]}") for part in parts]


def each(kind: str, seeds: tuple[int, ...], look: Callable[[random.Random], None]) -> None:
    """Look at every mutant, also behind one that fails.

    Args:
        look: makes a mutant by chance, and looks at it.

    Raises:
        ExceptionGroup: what the failing ones raised, each with its number.
    """
    failed: list[Exception] = []
    for number in seeds:
        try:
            with in_time():
                look(random.Random(f"{kind} {number}"))
        except Exception as error:
            error.add_note(f"{kind} {number}: alone with FUZZ_ONLY={number}")
            failed.append(error)
        if len(failed) == MOST_FAILURES:
            break
    if failed:
        raise ExceptionGroup(f"{len(failed)} mutants ({kind})", failed)


class TooSlowError(Exception):
    """A mutant took too long: where it was is in the traceback."""


@contextmanager
def in_time() -> Iterator[None]:
    """End what takes longer than :data:`MOST_SECONDS` of the processor, even if it never ends."""

    def late(*_: Any) -> None:
        raise TooSlowError(f"{MOST_SECONDS} s of the processor")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)

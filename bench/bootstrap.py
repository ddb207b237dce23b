"""`make bench-bootstrap`: time of a check, of the first run, of one without a change, of many.

Prints one line for each; beside it `osls package` of the same file, when it is installed. A running
stack is needed; services that are made for it are removed again.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bootstrap import dotenv
from bootstrap.commands.load import load_template
from bootstrap.commands.package_aws import OSLS
from bootstrap.deploy import apply, plan
from bootstrap.services.base import Context
from bootstrap.settings import Settings

MANY = int(os.environ.get("BENCH_FUNCTIONS") or 100)
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or 5)
HEAD = "service: bench-bootstrap\nprovider: {name: aws, stage: local, runtime: RUNTIME}\n"


def seconds(work: Callable[[], object], rounds: int = 1) -> float:
    """The median time of ``work``."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def show(what: str, value: float) -> None:
    """Print one line."""
    print(f"{what:<58}{value:8.2f} s", flush=True)


def definition(folder: Path, count: int) -> Path:
    """A service of ``count`` functions, each with a queue and a dead-letter queue."""
    runtime = os.environ.get("LAMBDA_PYTHON_RUNTIME", "python3.13")
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    functions = "".join(
        f"  f{i}:\n    handler: app.handler\n    events:\n      - sqs: {{arn: !GetAtt Q{i}.Arn}}\n"
        for i in range(count)
    )
    queues = "".join(
        f"    Q{i}: {{Type: AWS::SQS::Queue, Properties: {{QueueName: bench-{i}}}}}\n"
        for i in range(count)
    )
    file = folder / "serverless.yml"
    head = HEAD.replace("RUNTIME", runtime)
    file.write_text(f"{head}functions:\n{functions}resources:\n  Resources:\n{queues}")
    return file


def check(file: Path) -> None:
    """`python -m bootstrap check`: a process of its own."""
    subprocess.run(
        [sys.executable, "-m", "bootstrap", "check", "--file", str(file)],
        capture_output=True,
        check=False,
    )


def make_check() -> None:
    """`make check`, as a user runs it: with the choice of the runtime and the set-up."""
    subprocess.run(["make", "check", "RUNTIME=native"], capture_output=True, check=False)


def run(file: Path) -> None:
    """What `make up` does once the emulator runs."""
    template = load_template(file)
    context = Context(Settings.from_environment(template.region), template.service)
    apply(template, context, lambda resource, outcome: None, prune=True)


def planned(file: Path) -> None:
    """What `make plan` does."""
    template = load_template(file)
    plan(template, Context(Settings.from_environment(template.region), template.service))


def package(file: Path, target: Path) -> None:
    """`osls package`."""
    subprocess.run(
        [str(OSLS.absolute()), "package", "--package", str(target)],
        cwd=file.parent,
        env={**os.environ, "SLS_TELEMETRY_DISABLED": "1"},
        capture_output=True,
        check=True,
    )


def main() -> None:
    """Measure everything."""
    dotenv.load(Path(".build/env"))
    own = Path("serverless.yml")
    show("check, brand platform", seconds(lambda: check(own), ROUNDS))
    show("make check, brand platform", seconds(make_check, ROUNDS))
    show("no change, brand platform (make up first)", seconds(lambda: run(own), ROUNDS))
    show("plan, brand platform", seconds(lambda: planned(own), ROUNDS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = definition(folder, MANY)
        many = f"{MANY} functions and {MANY} queues"
        show(f"check, {many}", seconds(lambda: check(file), ROUNDS))
        try:
            show(f"empty to live, {many}", seconds(lambda: run(file)))
            show(f"no change, {many}", seconds(lambda: run(file), ROUNDS))
            if OSLS.is_file():
                target = folder / "packaged"
                show(
                    f"osls package (packages alone), {many}", seconds(lambda: package(file, target))
                )
            else:
                print("osls is not installed: make package-aws installs it")
        finally:
            file.write_text(file.read_text().partition("functions:\n")[0])
            show(f"removed, {many}", seconds(lambda: run(file)))


if __name__ == "__main__":
    main()

"""`make bench-bootstrap`: time of a check, of the first run, of one without a change, of many.

Prints one line for each: the median time, and the seconds of processor time that it took, in its
own processes and in the emulator's, which say more on a machine that does other things, too.
Beside it `osls package` and `osls deploy` of the same file, when osls is installed. The stack is
started anew, so that it is empty; services that are made for it are removed again.
"""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from bootstrap import dotenv, preload
from bootstrap.commands.load import load_template
from bootstrap.commands.package_aws import OSLS
from bootstrap.deploy import apply, plan
from bootstrap.runtime import native
from bootstrap.services import needed
from bootstrap.services.base import Context
from bootstrap.settings import Settings

MANY = int(os.environ.get("BENCH_FUNCTIONS") or 100)
ROUNDS = int(os.environ.get("BENCH_ROUNDS") or 5)
#: After which an emulator that has just started does nothing any longer.
_SETTLE_S = 5
STACK = "bench-bootstrap-local"
HEAD = "service: bench-bootstrap\nprovider: {name: aws, stage: local, runtime: RUNTIME}\n"


def show(what: str, work: Callable[[], object], rounds: int = 1) -> None:
    """Do something, and print one line with what it took."""
    times, own, emulator = [], _own_cpu(), _emulator_cpu()
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    cpu = (_own_cpu() - own) / rounds
    there = (_emulator_cpu() - emulator) / rounds
    print(
        f"{what:<50}{statistics.median(times):8.2f} s   processor {cpu:6.2f} s, emulator"
        f" {there:6.2f} s",
        flush=True,
    )


def _own_cpu() -> float:
    """Seconds of this process and of the children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _emulator_cpu() -> float:
    """Seconds of the emulator and of everything that it started and that still runs."""
    emulator = native.running()
    if emulator is None:
        return 0
    total = 0.0
    for process in (emulator, *emulator.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


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


def make(target: str) -> None:
    """A target of make, as a user runs it: with the choice of the runtime and the set-up."""
    subprocess.run(["make", target, "RUNTIME=native"], capture_output=True, check=target == "up")


def start_anew(services: Iterable[str] = ()) -> None:
    """Start an emulator that has nothing, and wait until it does nothing any longer.

    Args:
        services: those that it loads, as it does for `make up`.
    """
    settings = Settings.from_environment()
    native.stop(settings)
    native.start(settings, quiet=True)
    if services:
        preload.ask_for(services, settings)
    time.sleep(_SETTLE_S)


def up() -> None:
    """`python -m bootstrap up`: a process of its own, on an emulator that runs."""
    command = [sys.executable, "-m", "bootstrap", "up"]
    subprocess.run(command, capture_output=True, check=True)


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
    _osls(file, "package", "--package", str(target))


def deploy(file: Path) -> None:
    """`osls deploy` to this emulator, by its CloudFormation."""
    _osls(file, "deploy")


def _osls(file: Path, *arguments: str) -> None:
    # Not localhost: the SDK would put the bucket's name before it, which few machines can resolve.
    port = Settings.from_environment().gateway_port
    subprocess.run(
        [str(OSLS.absolute()), *arguments],
        cwd=file.parent,
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_REGION": "us-east-1",
            "SLS_TELEMETRY_DISABLED": "1",
        },
        capture_output=True,
        check=True,
    )


def undeploy() -> None:
    """Delete the stack that `osls deploy` has made. `osls remove` needs a service more (ECR)."""
    settings = Settings.from_environment()
    cloudformation, s3 = settings.client("cloudformation"), settings.client("s3")
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    for bucket in (one for one in resources if one["ResourceType"] == "AWS::S3::Bucket"):
        name = bucket["PhysicalResourceId"]
        for one in s3.list_objects_v2(Bucket=name).get("Contents", []):
            s3.delete_object(Bucket=name, Key=one["Key"])
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1}
    )


def main() -> None:
    """Measure everything."""
    dotenv.load(Path(".build/env"))
    own = Path("serverless.yml")
    show("check, brand platform", lambda: check(own), ROUNDS)
    show("make check, brand platform", lambda: make("check"), ROUNDS)
    start_anew()
    show("empty to live, brand platform", up)
    start_anew(needed(load_template(own)))
    show("the same, the emulator has loaded its services", up)
    show("make up again, brand platform", lambda: make("up"), ROUNDS)
    show("the same with a look at everything", lambda: run(own), ROUNDS)
    show("plan, brand platform", lambda: planned(own), ROUNDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = definition(folder, MANY)
        text, many = file.read_text(), f"{MANY} functions and {MANY} queues"
        show(f"check, {many}", lambda: check(file), ROUNDS)
        try:
            show(f"empty to live, {many}", lambda: run(file))
            show(f"no change, {many}", lambda: run(file), ROUNDS)
        finally:
            file.write_text(text.partition("functions:\n")[0])
            show(f"removed, {many}", lambda: run(file))
        if not OSLS.is_file():
            print("osls is not installed: make package-aws installs it")
            return
        file.write_text(text)
        show(f"osls package, {many}", lambda: package(file, folder / "packaged"))
        show(f"osls deploy, {many}", lambda: deploy(file))
        undeploy()


if __name__ == "__main__":
    main()

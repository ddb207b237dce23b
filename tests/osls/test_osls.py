"""``osls package`` (Serverless Framework) reads the same file and comes to the same resources.

Nothing here talks to AWS: the one question that packaging a layer asks, whether the stack exists,
is answered by a server of the test's own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from bootstrap.commands.load import load_template
from bootstrap.packaging import select
from bootstrap.template import Physical, Template, resolve
from tests.osls import differences
from tests.osls.conditions import decided

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FIXTURES = HERE / "fixtures"
#: Two minutes on two cores that others use, too; only a process that hangs takes this long.
OSLS_SECONDS = 900
NO_STACK = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>"
    b"<Message>Stack does not exist</Message></Error></ErrorResponse>"
)
#: What ``${env:…}`` of the fixtures sees.
SET = {"VARIABLES_ENV_SET": "from the environment"}


class NoStack(BaseHTTPRequestHandler):
    """CloudFormation of an account without stacks."""

    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(400)
        self.send_header("Content-Length", str(len(NO_STACK)))
        self.end_headers()
        self.wfile.write(NO_STACK)

    def log_message(self, *arguments: Any) -> None:
        """Nothing: the test says what it saw when it fails."""


@pytest.fixture(scope="module")
def osls() -> Path:
    subprocess.run(["sh", str(HERE / "install.sh")], check=True)
    return ROOT / ".build/osls/node_modules/osls"


@pytest.fixture(scope="module")
def cloudformation() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), NoStack)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def brand_platform(folder: Path) -> None:
    """The shipped definition; one file stands for its layer, whose content nobody compares."""
    shutil.copy(ROOT / "serverless.yml", folder)
    shutil.copytree(
        ROOT / "functions", folder / "functions", ignore=shutil.ignore_patterns("__pycache__")
    )
    layer = folder / ".build/layers/dependencies/python"
    layer.mkdir(parents=True)
    (layer / "stand_in.py").write_text("")


def every_form(folder: Path) -> None:
    shutil.copytree(HERE / "everything", folder, dirs_exist_ok=True)


def at_the_edge(folder: Path) -> None:
    shutil.copytree(HERE / "edge", folder, dirs_exist_ok=True)


def fixture(file: Path) -> Callable[[Path], None]:
    """A definition of :data:`FIXTURES`, beside what they share."""

    def make(folder: Path) -> None:
        shutil.copytree(FIXTURES / "shared", folder, dirs_exist_ok=True)
        shutil.copy(file, folder / "serverless.yml")

    return make


PROJECTS: dict[str, Callable[[Path], None]] = {
    "brand-platform": brand_platform,
    "every-form": every_form,
    "at-the-edge": at_the_edge,
    **{file.stem: fixture(file) for file in sorted(FIXTURES.glob("*.yml"))},
}


@pytest.fixture(scope="module")
def all_packaged(
    osls: Path, cloudformation: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The folder of each project, packaged by osls, by the project's name.

    Two processes package them, each of which loads osls once.
    """
    home = tmp_path_factory.mktemp("home")
    folders = {}
    for name, make in PROJECTS.items():
        folders[name] = tmp_path_factory.mktemp(name)
        make(folders[name])
    environment = {
        # Nothing of the machine's AWS set-up, and no way to a real endpoint.
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **SET,
        "AWS_ENDPOINT_URL": cloudformation,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(home),
        "SLS_TELEMETRY_DISABLED": "1",
    }
    processes = [
        subprocess.Popen(["node", str(HERE / "package_all.js"), str(osls), *share], env=environment)
        for share in shares([str(folder) for folder in folders.values()], 2)
    ]
    try:
        for process in processes:
            process.wait(timeout=OSLS_SECONDS)
    finally:
        for process in processes:
            process.kill()
    return folders


def shares(items: list[str], count: int) -> list[list[str]]:
    """The items, dealt out to ``count`` at most."""
    return [share for first in range(count) if (share := items[first::count])]


@pytest.fixture(scope="module", params=PROJECTS)
def packaged(
    request: pytest.FixtureRequest, all_packaged: dict[str, Path]
) -> Iterator[tuple[Path, Path]]:
    """A project's folder, and the folder with what osls made of it."""
    project = all_packaged[request.param]
    output = project / ".packaged"
    made = output / "cloudformation-template-update-stack.json"
    assert made.is_file(), (project / ".packaged.txt").read_text()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SET.items():
            patch.setenv(name, value)
        yield project, output


def theirs(output: Path) -> dict[str, Any]:
    text = (output / "cloudformation-template-update-stack.json").read_text()
    # The id of a version ends in the hash of its package.
    text = re.sub(r'("[A-Za-z0-9]+LambdaVersion)[A-Za-z0-9]{32,}"', r'\1"', text)
    resources: dict[str, Any] = decided(json.loads(text), PSEUDO)
    # The id of a REST API's deployment has the time of packaging in it.
    return {re.sub(r"^(ApiGatewayDeployment)\d+$", r"\1", name): v for name, v in resources.items()}


@cache
def ours(project: Path) -> Template:
    return load_template(project / "serverless.yml")


def is_ours_to_make(logical_id: str, resource: dict[str, Any], made: Template) -> bool:
    if logical_id in made.resources:
        return True
    return (
        resource["Type"] not in differences.DEPLOYMENT_ONLY_TYPES
        and logical_id not in differences.DEPLOYMENT_ONLY_IDS
    )


class Anything(dict[str, Physical]):
    """Every resource, created: so that ``Fn::Join`` and ``Fn::Sub`` of the same are equal."""

    def __missing__(self, logical_id: str) -> Physical:
        class Attributes(dict[str, str]):
            def __contains__(self, name: object) -> bool:
                return True

            def __missing__(self, name: str) -> str:
                # As long as an ARN, so that Fn::Select of its parts finds them.
                return f"<a:b:c:d:e:{logical_id}.{name}>"

        return Physical(f"<{logical_id}>", Attributes())


class Known(dict[str, str]):
    """Values that no resource has: pseudo parameters, and exports of other stacks."""

    def __missing__(self, name: str) -> str:
        return f"<{name}>"


PSEUDO = Known(
    {name: f"<{name}>" for name in ("AWS::AccountId", "AWS::Partition", "AWS::StackName")}
    | {"AWS::Region": "us-east-1"}
)


def comparable(kind: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Properties with references filled in, and without differences that mean nothing."""
    kept = {k: v for k, v in properties.items() if k not in differences.NOT_COMPARED.get(kind, ())}
    resolved: dict[str, Any] = resolve(kept, Anything(), PSEUDO)
    if "CorsConfiguration" in resolved:
        cors = resolved["CorsConfiguration"]
        cors["AllowMethods"] = sorted(cors["AllowMethods"])
    for target in resolved.get("Targets", []):
        if isinstance(target.get("Input"), str):
            target["Input"] = json.loads(target["Input"])
    for policy in resolved.get("Policies", []):
        statements = policy["PolicyDocument"]["Statement"]
        policy["PolicyDocument"]["Statement"] = sorted(
            (s["Effect"], action, resource, json.dumps(s.get("Condition")))
            for s in statements
            for action in as_list(s["Action"])
            for resource in as_list(s["Resource"])
        )
    return resolved


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_same_resources_with_the_same_types(packaged: tuple[Path, Path]) -> None:
    project, output = packaged

    made = ours(project)
    expected = {
        name: body["Type"]
        for name, body in theirs(output).items()
        if is_ours_to_make(name, body, made)
    }

    compared = {
        resource.logical_id: resource.type
        for resource in made.resources.values()
        if resource.type not in differences.MADE_HERE_ONLY
    }
    assert compared == expected


def test_the_same_exports(packaged: tuple[Path, Path]) -> None:
    project, output = packaged
    text = (output / "cloudformation-template-update-stack.json").read_text()
    outputs = json.loads(text).get("Outputs", {})

    # osls has outputs of its own, too, which nobody asked for.
    own = ours(project).document.data.get("resources", {}).get("Outputs", {})
    expected = {
        f"{name}Export": {"Name": body["Export"]["Name"], "Value": body["Value"]}
        for name, body in outputs.items()
        if name in own and "Export" in body
    }
    made = {
        resource.logical_id: resource.properties
        for resource in ours(project).resources.values()
        if resource.type in differences.MADE_HERE_ONLY
    }

    assert resolve(made, Anything(), PSEUDO) == resolve(expected, Anything(), PSEUDO)


def test_the_same_properties(packaged: tuple[Path, Path]) -> None:
    project, output = packaged
    made, expected = ours(project).resources, theirs(output)

    different = {}
    for name in made.keys() & expected.keys():
        kind = made[name].type
        mine = comparable(kind, made[name].properties)
        other = comparable(kind, expected[name].get("Properties", {}))
        if mine != other:
            keys = [k for k in mine.keys() | other.keys() if mine.get(k) != other.get(k)]
            different[name] = {k: {"ours": mine.get(k), "osls": other.get(k)} for k in keys}

    assert not different, json.dumps(different, indent=1)


def test_every_order_that_osls_asks_for_is_kept(packaged: tuple[Path, Path]) -> None:
    project, output = packaged
    template = ours(project)
    order = {resource.logical_id: i for i, resource in enumerate(template.ordered())}

    early = [
        (name, need)
        for name, body in theirs(output).items()
        if name in order
        for need in as_list(body.get("DependsOn", []))
        if need in order and order[need] > order[name]
    ]

    assert not early


def test_the_same_files_are_packaged(packaged: tuple[Path, Path]) -> None:
    project, output = packaged
    functions = [
        resource
        for resource in ours(project).resources.values()
        if resource.type == "AWS::Lambda::Function"
    ]
    assert functions
    artifacts = {
        state_name: set(zipfile.ZipFile(archive).namelist())
        for archive in output.glob("*.zip")
        for state_name in [archive.stem]
    }

    for function in functions:
        key = function.path[1]
        files = {
            path.as_posix() for path in select(project, function.properties["Code"]["Patterns"])
        }
        service = ours(project).service
        assert files == artifacts.get(str(key), artifacts.get(service)), key


def test_nothing_but_the_stack_was_asked_for(packaged: tuple[Path, Path]) -> None:
    assert all("Action=DescribeStacks" in body for body in NoStack.asked), NoStack.asked

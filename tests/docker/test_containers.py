"""The running containers, as Docker and their own processes describe them.

Needs the stack to run with ``RUNTIME=docker`` (``.ci/docker.sh`` does): without an engine there is
nothing to look at.
"""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from typing import Any

import pytest

from bootstrap.settings import Settings

DOCKER = os.environ.get("DOCKER") or "docker"


def docker(*arguments: str) -> str:
    return subprocess.run(
        [DOCKER, *arguments], capture_output=True, text=True, timeout=60, check=True
    ).stdout


def container_id() -> str:
    try:
        return docker("compose", "ps", "--quiet", "--status", "running", "localstack").strip()
    except (OSError, subprocess.SubprocessError):
        return ""


@pytest.fixture(scope="module")
def container() -> dict[str, Any]:
    """The engine's description of the emulator's container."""
    found = container_id()
    if not found:
        pytest.skip("the stack does not run with RUNTIME=docker")
    (described,) = json.loads(docker("inspect", found))
    return dict(described)


@pytest.fixture
def function_says(container) -> Any:
    """``function_says(source)``: the answer of a function with that source, run in the stack."""
    client = Settings.from_environment().client("lambda")
    created: list[str] = []

    def run(source: str) -> Any:
        import io
        import zipfile

        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("handler.py", source)
        name = f"test-{uuid.uuid4().hex[:12]}"
        client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="handler.handler",
            Role="arn:aws:iam::000000000000:role/test",
            Code={"ZipFile": archive.getvalue()},
        )
        created.append(name)
        client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        answer = client.invoke(FunctionName=name)
        text = answer["Payload"].read()
        assert "FunctionError" not in answer, text
        return json.loads(text)

    yield run
    for name in created:
        client.delete_function(FunctionName=name)


def test_the_container_has_no_privileges(container):
    host = container["HostConfig"]
    assert container["Config"]["User"] not in ("", "root", "0", "0:0")
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert host["ReadonlyRootfs"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert not [mount for mount in container["Mounts"] if "docker.sock" in mount["Source"]]
    bindings = [b for ports in host["PortBindings"].values() for b in ports]
    assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}


def test_no_process_of_the_emulator_has_a_capability_outside_its_own_user_namespace(container):
    script = (
        "for f in /proc/[0-9]*; do "
        'echo "$(readlink $f/ns/user)'
        ' $(grep -E "^(Uid|CapEff|NoNewPrivs)" $f/status | tr "\\n\\t" "  ")"; '
        "done; readlink /proc/self/ns/user"
    )
    *lines, own = docker("exec", container["Id"], "sh", "-c", script).splitlines()
    seen = 0
    for line in lines:
        fields = line.split()
        if len(fields) < 4 or fields[0] != own:
            continue  # ended meanwhile, or in a user namespace: its capabilities reach no further
        seen += 1
        assert fields[fields.index("CapEff:") + 1].strip("0") == "", line
        assert fields[fields.index("Uid:") + 1] != "0", line
        assert fields[fields.index("NoNewPrivs:") + 1] == "1", line
    assert seen >= 2, lines


def test_nothing_but_the_tmpfs_can_be_written(container):
    script = (
        "for d in / /app /usr /etc /app/functions; do touch $d/x 2>/dev/null && echo $d; done; true"
    )
    assert docker("exec", container["Id"], "sh", "-c", script) == ""


def test_a_function_has_a_file_system_view_of_its_own(function_says):
    says = function_says(
        "import os\n"
        "def handler(event, context):\n"
        "    open('/tmp/own', 'w').close()\n"
        "    status = open('/proc/self/status').read()\n"
        "    return {'root': os.environ['LAMBDA_TASK_ROOT'], 'task': os.listdir('/var/task'),\n"
        "            'tmp': os.listdir('/tmp'), 'opt': os.listdir('/opt'),\n"
        "            'caps': status.split('CapEff:')[1].split()[0]}\n"
    )
    assert says == {
        "root": "/var/task",
        "task": ["handler.py"],
        "tmp": ["own"],
        "opt": [],
        "caps": "0" * 16,
    }


def test_awslocal_is_inside(container):
    assert "brand-assets-bucket" in docker("exec", container["Id"], "awslocal", "s3", "ls")

"""`scripts/stack.sh` chooses the runtime: with stand-ins for `docker` and the native emulator."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
#: Answers as an engine with Compose does; the file `runs` beside it: the stack runs in it. PODMAN
#: makes it Podman: true a rootless one, false another.
ENGINE = """#!/bin/sh
case "$*" in
"info --format {{.SecurityOptions}}") [ -z "${PODMAN:-}" ] || exit 125; echo "${OPTIONS:-}" ;;
"info --format {{.Host.Security.Rootless}}") [ -n "${PODMAN:-}" ] || exit 1; echo "$PODMAN" ;;
"info"*) exit ${ENGINE_EXIT:-0} ;;
"version") echo "Client: ${PODMAN:+Podman Engine}" ;;
"compose version"*) echo "${COMPOSE:-Docker Compose version v2}"; exit ${COMPOSE_EXIT:-0} ;;
*" up --detach"*)
    echo "$*" >> "$(dirname "$0")/calls"
    [ -n "${TAKEN:-}" ] || exit 0
    echo "127.0.0.1:$TAKEN failed: port is already allocated" >&2
    exit 1
    ;;
"compose ps"*) if [ -f "$(dirname "$0")/runs" ]; then echo abc; fi ;;
*" run "*)
    echo "$*" >> "$(dirname "$0")/calls"
    echo "${COMPOSE_FILE:-} ${PROJECT_FOLDER:-} ${PROJECT_FILE:-}" > "$(dirname "$0")/project"
    echo "$STACK_USER ${SECURITY_OPT:-} ${STATE_MODE:-}" > "$(dirname "$0")/settings"
    [ -z "${RUN_SECONDS:-}" ] || exec sleep "$RUN_SECONDS"
    exit ${RUN_EXIT:-0}
    ;;
"compose logs"*) sed "s/^/$(printf '\\033')[2K/" "$(dirname "$0")/log" ;;
*) echo "$*" >> "$(dirname "$0")/calls" ;;
esac
"""

type Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / ".trigger-stack").mkdir()
    return tmp_path


@pytest.fixture
def script(project: Path) -> Script:
    engine = project / "docker"
    engine.write_text(ENGINE)
    engine.chmod(0o755)

    def run(*arguments: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
        """``NAME=None`` leaves a variable out."""
        settings = {"PATH": os.environ["PATH"], "DOCKER": str(engine), **environment}
        return subprocess.run(
            ["sh", "scripts/stack.sh", *arguments],
            cwd=project,
            env={name: value for name, value in settings.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def native_runs(project: Path) -> None:
    (project / ".trigger-stack/emulator.pid").write_text(f"{os.getpid()} 0\n")


def test_docker_when_an_engine_answers(script):
    assert script("runtime").stdout == "docker, because a Docker engine with Compose v2 answers\n"


def test_native_when_none_answers_and_why(script, project):
    assert script("runtime", ENGINE_EXIT="1").stdout == (
        "native, because no Docker engine answers\n"
    )
    assert "has no Compose v2" in script("runtime", COMPOSE_EXIT="1").stdout
    other = script("runtime", COMPOSE="podman version 5.4.2\npodman-compose version 1.3.0").stdout
    assert "compose runs podman-compose, which is not Compose v2" in other
    assert "there is no" in script("runtime", DOCKER="no-such-command").stdout


def test_the_runtime_that_is_asked_for(script):
    assert script("runtime", RUNTIME="native").stdout.startswith("native, because RUNTIME=native")
    assert script("runtime", RUNTIME="docker").stdout.startswith("docker, because RUNTIME=docker")


def test_the_runtime_in_env_file_counts_unless_the_shell_says_otherwise(script, project):
    (project / ".env").write_text("RUNTIME=native\n")
    assert script("runtime").stdout.startswith("native")
    assert script("runtime", RUNTIME="docker").stdout.startswith("docker")


def test_env_file_is_read_as_docker_compose_reads_it(script, project):
    (project / ".env").write_text(
        "export WHICH=native\r\nRUNTIME='docker'\nRUNTIME=${WHICH} # no\n"
    )
    assert script("runtime").stdout.startswith("native, because RUNTIME=native")
    # An empty value wins too.
    assert script("runtime", RUNTIME="").stdout.startswith("docker")


def test_an_env_file_that_cannot_be_understood_is_refused(script, project):
    (project / ".env").write_text("# fine\nrun in docker\n")
    refused = script("runtime")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error .env:2: must be NAME=value, ")


def test_docker_without_an_engine_is_refused(script):
    refused = script("runtime", RUNTIME="docker", ENGINE_EXIT="1")
    assert refused.returncode == 2
    assert "no Docker engine answers" in refused.stderr
    assert "RUNTIME=native" in refused.stderr


@pytest.mark.parametrize(
    ("port", "remedy"),
    [
        (4566, "GATEWAY_PORT=4567"),
        (8080, "HTTP_API_PORT=8081"),
        (2525, "SMTP_PORT=2526"),
        (8082, "LOAD_BALANCER_PORTS=8083-8085"),
        (8100, "CLOUDFRONT_PORTS=8101-8106"),
    ],
)
def test_a_taken_port_is_named_with_its_setting(script, port, remedy):
    refused = script("up", TAKEN=str(port))
    assert refused.returncode == 1
    assert f"Port {port} is in use by another program." in refused.stderr
    assert f"or make up {remedy}." in refused.stderr


def test_an_unknown_runtime_is_refused(script):
    refused = script("up", RUNTIME="podman")
    assert refused.returncode == 2
    assert "must be docker or native" in refused.stderr


def test_the_runtime_that_runs_is_kept(script, project):
    native_runs(project)
    assert script("runtime").stdout == "native, because the stack runs in it\n"
    (project / ".trigger-stack/emulator.pid").unlink()
    (project / "runs").touch()
    assert script("runtime").stdout == "docker, because the stack runs in it\n"


@pytest.mark.parametrize("command", ["up", "status", "test"])
def test_switching_without_down_is_refused(script, project, command):
    native_runs(project)
    refused = script(command, RUNTIME="docker")
    assert refused.returncode == 2
    assert "the stack runs with RUNTIME=native" in refused.stderr
    assert "make down" in refused.stderr


def test_switching_from_docker_without_down_is_refused(script, project):
    (project / "runs").touch()
    refused = script("up", RUNTIME="native")
    assert refused.returncode == 2
    assert "the stack runs with RUNTIME=docker" in refused.stderr


def test_a_native_check_asks_no_engine(script, project):
    """An engine's answer takes as long as half a check."""
    (project / "runs").touch()
    (project / "scripts/setup.sh").write_text(f"touch {project}/set-up\n")
    (project / "asking").write_text(f"#!/bin/sh\ntouch {project}/asked\n")
    (project / "asking").chmod(0o755)
    script("check", RUNTIME="native", DOCKER=str(project / "asking"))
    assert (project / "set-up").exists()
    assert not (project / "asked").exists()


def test_a_command_without_a_stack_says_how_to_start_one(script):
    missing = script("status", RUNTIME="docker")
    assert missing.returncode == 1
    assert "make up" in missing.stderr


def calls(project: Path) -> list[str]:
    file = project / "calls"
    return file.read_text().splitlines() if file.exists() else []


def name_of_container(call: str) -> str:
    found = re.search(r" --name (trigger-stack-[0-9a-f]{12}) ", call)
    assert found, call
    return found[1]


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def number(request):
    """A signal that a child does not ignore, as it would when the tests run under nohup."""
    before = signal.signal(request.param, signal.SIG_DFL)
    yield request.param
    signal.signal(request.param, before)


def test_an_interrupted_command_takes_its_container_along(script, project, number):
    (project / "runs").touch()
    with subprocess.Popen(
        ["sh", "scripts/stack.sh", "logs"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "DOCKER": str(project / "docker"), "RUN_SECONDS": "30"},
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            (run,) = eventually(lambda: calls(project))
            process.send_signal(number)
            assert process.wait(20) == 128 + number
        finally:
            process.kill()
    name = name_of_container(run)
    assert f"stop -t 5 {name}" in calls(project)
    assert calls(project)[-1] == f"rm --force {name}"


def test_a_client_that_fails_leaves_no_container(script, project):
    (project / "runs").touch()
    assert script("logs", RUN_EXIT="141").returncode == 141
    run, *others = calls(project)
    name = name_of_container(run)
    assert others == [f"stop -t 5 {name}", f"rm --force {name}"]


def test_a_command_that_is_done_costs_no_further_call(script, project):
    (project / "runs").touch()
    assert script("status").returncode == 0
    assert len(calls(project)) == 1


def test_tests_that_pass_fail_when_the_emulator_has_raised_an_exception(script, project):
    (project / "runs").touch()
    (project / "log").write_text("Ready.\n")
    assert script("test", "tests/e2e").returncode == 0
    (project / "log").write_text("ERROR in s3\nTraceback (most recent call last):\nKeyError: 'x'\n")
    failed = script("test", "tests/e2e")
    assert failed.returncode == 1
    assert "The emulator raised an exception while the tests ran:\nERROR in s3" in failed.stdout
    assert "KeyError: 'x'" in failed.stdout
    assert (project / "reports/localstack.log").read_text() == (project / "log").read_text()
    assert script("test", "tests/e2e", RUN_EXIT="3").returncode == 3


NATIVE_PYTHON = """#!/bin/sh
echo "$RUNTIME $*" > "$(dirname "$0")/../../native"
exit ${NATIVE_EXIT:-0}
"""


@pytest.mark.parametrize(
    ("container", "native", "code"), [("0", "0", 0), ("3", "0", 3), ("0", "1", 1)]
)
def test_all_tests_are_the_triggers_in_containers_and_the_rest_beside_them(
    script, project, container, native, code
):
    """The parts' tests need emulators of their own and files that no image has."""
    (project / "runs").touch()
    (project / "log").write_text("Ready.\n")
    (project / ".venv/bin").mkdir(parents=True)
    python = project / ".venv/bin/python"
    python.write_text(NATIVE_PYTHON)
    python.chmod(0o755)

    assert script("test", RUN_EXIT=container, NATIVE_EXIT=native).returncode == code

    runs = [call for call in calls(project) if "-m pytest " in call]
    if container == "0":  # else the container that creates everything has failed already
        (run,) = runs
        assert "-m pytest tests/e2e tests/openapi " in run
    beside = (project / "native").read_text()
    assert beside.startswith("native -m pytest tests --ignore tests/e2e --ignore tests/openapi ")


def test_the_engine_may_be_named_in_env_file(script, project):
    (project / ".env").write_text("DOCKER=no-such-command\n")
    assert "there is no no-such-command command" in script("runtime", DOCKER=None).stdout


def settings(project: Path) -> list[str]:
    """The user, SECURITY_OPT and STATE_MODE with which Compose ran a service."""
    return (project / "settings").read_text().rstrip("\n").split(" ")


def ordinary_user() -> str:
    return "1000:1000" if os.getuid() == 0 else f"{os.getuid()}:{os.getgid()}"


def test_docker_gets_the_options_of_the_compose_file(script, project):
    (project / "runs").touch()
    assert script("status").returncode == 0
    assert settings(project) == [ordinary_user(), "", ""]


def test_podman_gets_the_options_that_it_knows_unless_told_otherwise(script, project):
    (project / "runs").touch()
    assert script("status", PODMAN="false").returncode == 0
    assert settings(project) == [ordinary_user(), "no-new-privileges", "mode=1777"]
    (project / ".env").write_text("SECURITY_OPT=seccomp=unconfined\nSTATE_MODE=mode=0777\n")
    assert script("status", PODMAN="false").returncode == 0
    assert settings(project) == [ordinary_user(), "seccomp=unconfined", "mode=0777"]


@pytest.mark.parametrize("engine", [{"PODMAN": "true"}, {"OPTIONS": "[name=rootless]"}])
def test_rootless_engines_call_the_user_0(script, project, engine):
    (project / "runs").touch()
    assert script("status", **engine).returncode == 0
    assert settings(project)[0] == "0:0"


def test_another_project_is_mounted(script, project, tmp_path_factory):
    theirs = tmp_path_factory.mktemp("theirs")
    (theirs / "other.yml").write_text("")
    added = "docker-compose.yml:emulator/container/project.yml"

    assert script("up", APP=str(theirs)).returncode == 0
    assert (project / "project").read_text().split() == [added, str(theirs)]
    assert script("up", SERVERLESS=str(theirs / "other.yml")).returncode == 0
    assert (project / "project").read_text().split() == [added, str(theirs), "other.yml"]
    assert script("up").returncode == 0
    assert (project / "project").read_text().split() == []


@pytest.mark.parametrize(
    ("name", "said"),
    [("APP", "there is no such folder."), ("SERVERLESS", "there is no such file.")],
)
def test_another_project_that_is_not_there(script, name, said):
    done = script("up", **{name: "/no/such"})

    assert (done.returncode, done.stderr) == (2, f"error {name}=/no/such: {said}\n")


def test_the_debugger_is_native_only(script, project):
    (project / "runs").touch()
    refused = script("debug", "get_brand")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error make debug needs RUNTIME=native: ")
    assert calls(project) == []


#: Beside the engine, all that the scripts call.
TOOLS = (
    *("awk", "chown", "cut", "date", "dirname", "grep", "head", "id", "ls", "mkdir", "mktemp"),
    *("od", "rm", "sed", "sh", "tr"),
)


@pytest.fixture
def nothing_else(project: Path) -> str:
    """A PATH without Python: what the scripts may call on a machine with Docker alone."""
    folder = project / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    return str(folder)


@pytest.mark.parametrize("command", ["runtime", "up", "start", "status", "shell", "check", "stop"])
def test_docker_alone_is_enough(script, project, nothing_else, command):
    (project / ".env").write_text("TEST_WORKERS=2 # few\n")
    (project / "runs").touch()
    done = script(command, PATH=nothing_else)
    assert (done.returncode, done.stderr) == (0, "")


def test_docker_alone_is_enough_for_the_tests_in_containers(script, project, nothing_else):
    (project / ".env").write_text("TEST_WORKERS=2 # few\n")
    (project / "runs").touch()
    (project / "log").write_text("Ready.\n")
    done = script("test", "tests/e2e", PATH=nothing_else)
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = [call for call in calls(project) if "-m pytest " in call]
    assert " -n 2 " in run


def test_what_podman_needs_can_be_left_out(script, project):
    (project / "scripts/podman.sh").unlink()
    (project / "runs").touch()
    assert script("runtime").stdout == "docker, because the stack runs in it\n"
    assert script("status").returncode == 0
    assert settings(project) == [ordinary_user(), "", ""]
    assert script("status", OPTIONS="[name=rootless]").returncode == 0
    assert settings(project)[0] == "0:0"


def test_podman_is_named_in_one_script():
    files = [file for file in (ROOT / "scripts").iterdir() if file.is_file()]
    naming = [file.name for file in files if "Podman" in file.read_text()]
    assert naming == ["podman.sh"]

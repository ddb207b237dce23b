"""Rules about the repository's files."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bootstrap.definition.document import load_document

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    """Files of the repository; without git (an unpacked archive) there is nothing to tell."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git clone")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> Iterator[tuple[str, str]]:
    for file in tracked():
        try:
            yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def code() -> dict[str, str]:
    """The files that run: Python, shell, the definition, Compose and the Makefile; no tests."""
    suffixes = (".py", ".sh", ".yml", ".toml")
    return {
        name: text
        for name, text in texts()
        if (name.endswith(suffixes) or name in ("Makefile", ".ci/run", "Dockerfile"))
        and not name.startswith(("tests/", "bench/"))
    }


# --- Hosts and paths

#: Written in two parts, so that this file does not name them.
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "npmjs" + ".com",
    "registry." + "yarnpkg",
    "crates" + ".io",
    "deb." + "debian.org",
    "repo1." + "maven.org",
]
MACHINE_PATHS = re.compile(
    r"(?<![\w.$}])/(?:work|root|Users/\w+|home/(?!sbx_)\w+|tmp/bash_jobs)/", re.ASCII
)


def test_no_file_names_a_package_registry() -> None:
    """Which registry is asked is the user's configuration of pip, uv and npm."""
    found = [
        f"{name}:{number}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if any(host in line for host in REGISTRIES)
    ]

    assert not found


def test_no_file_names_a_path_of_one_machine() -> None:
    # The paths of an image are those of no machine.
    exempt = {Path(__file__).relative_to(ROOT).as_posix(), "emulator/Dockerfile"}
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        if name not in exempt
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]

    assert not found


# --- The Makefile


def targets() -> dict[str, str]:
    """Target and its help line."""
    makefile = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^([a-z][a-z0-9-]*):[^=\n]*?## (.+)$", makefile, re.MULTILINE))


def test_help_shows_every_target() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert len(targets()) > 10
    assert not [name for name, text in targets().items() if not re.search(
        rf"^\s+{name}\s+{re.escape(text)}$", shown, re.MULTILINE)]  # fmt: skip


def test_every_target_is_phony_and_has_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    rules = set(re.findall(r"^([a-z][a-z0-9-]*):(?!=)", makefile, re.MULTILINE))
    phony = set(" ".join(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)).split())

    assert rules == phony == set(targets())


def test_every_script_that_the_makefile_calls_is_there() -> None:
    called = re.findall(
        r"(?:sh|\$\(PY\)) ((?:scripts|bench)/[\w./-]+)", (ROOT / "Makefile").read_text()
    )

    assert called
    assert not [name for name in called if not (ROOT / name).is_file()]


def test_every_make_command_that_a_text_names_is_a_target() -> None:
    """In code marks, after a colon, or at the start of a line: there it is a command."""
    command = re.compile(r"(?:`|: |^\s*\$? ?|, or )make ([a-z][a-z0-9-]*+)(?![…*])", re.MULTILINE)
    unknown = [
        f"{name}: make {target}"
        for name, text in texts()
        if name.endswith((".md", ".py", ".sh", ".yml", ".example"))
        for target in command.findall(text)
        if target not in targets() and not target.endswith("-")  # "make bench-…": several
    ]

    assert not unknown


# --- Settings

#: Read by our code, but no setting of a user.
NOT_SETTINGS = {
    "OTEL_SDK_DISABLED": "OpenTelemetry's own switch for every program of a machine",
    "PATH": "the shell's",
    "TMPDIR": "the system's",
    "HOME": "the system's",
    "SHELL": "the system's",
    "PYENV_ROOT": "pyenv's",
    "NO_COLOR": "a convention of terminals",
    "GATEWAY_HOST": "set inside the container, where loopback reaches nobody",
    "HTTP_API_LISTEN": "set inside the container, where loopback reaches nobody",
    "HTTP_API_URL": "set inside the container, for its tests",
    "STACK_CONTAINER": "set inside the container",
    "STACK_LOCK": "handed from one of our commands to the next",
    "PYDANTIC_DISABLE_PLUGINS": "pydantic's; reading a definition sets it",
    "PRELOAD_SERVICES": "LocalStack's; the start sets it",
    "LAMBDA_PYTHON_RUNTIME": "set-up writes it to .build/env",
    "LAMBDA_PROCESS_PYTHON_RUNTIMES": "where set-up puts the runtimes",
    "LAMBDA_PROCESS_DIR": "a folder below the state folder",
    "LAMBDA_PROCESS_INIT_TIMEOUT": "AWS's figure; tests shorten it",
    "LAMBDA_PROCESS_LOG_LINGER_MS": "tests shorten it",
    "LAMBDA_PROCESS_UID": "the first of the functions' own users",
    "LAMBDA_TASK_ROOT": "the Lambda runtime's",
    "DYNAMODB_LOCAL_DIR": "where set-up puts DynamoDB Local",
}
#: Calls that read the environment by name.
READERS = {"get", "getenv", "port", "_number", "_flag", "pop", "setdefault"}


def settings_read() -> dict[str, str]:
    """Environment variables that our Python reads, and one place each."""
    found: dict[str, str] = {}
    for name, text in code().items():
        if not name.endswith(".py") or name.startswith("functions/"):
            continue
        for node in ast.walk(ast.parse(text)):
            key: ast.expr | None = None
            if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
                key = node.slice
            elif isinstance(node, ast.Call) and node.args:
                function = ast.unparse(node.func)
                if function.rsplit(".", 1)[-1] in READERS and (
                    "environ" in function or function in READERS or "getenv" in function
                ):
                    key = node.args[0]
            if isinstance(key, ast.Constant) and re.fullmatch(r"[A-Z][A-Z0-9_]+", str(key.value)):
                found[str(key.value)] = f"{name}:{node.lineno}"
    return found


def documented() -> set[str]:
    return set(
        re.findall(r"^([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    )


def test_every_setting_that_is_read_is_documented() -> None:
    skipped = ("AWS_", "_", "REMOTE_", "SERVER_", "BENCH_", "TEST_")
    missing = {
        name: place
        for name, place in settings_read().items()
        if not name.startswith(skipped)
        and name not in NOT_SETTINGS | dict.fromkeys(documented(), "")
    }

    assert "GATEWAY_PORT" in settings_read()
    assert not missing, "document them in .env.example, or give a reason in NOT_SETTINGS"


def test_every_documented_setting_is_read_by_something() -> None:
    import localstack.config

    emulator = Path(localstack.config.__file__).read_text()
    everything = "\n".join(code().values()) + emulator

    assert not [n for n in documented() if not re.search(rf"\b{n}\b", everything)]


def test_the_exceptions_are_still_needed() -> None:
    everything = "\n".join(code().values())

    assert not [name for name in NOT_SETTINGS if not re.search(rf"\b{name}\b", everything)]


# --- Functions


def test_every_function_has_a_readme_and_is_in_the_definition() -> None:
    folders = {file.parent.name for file in tracked() if file.match("functions/*/handler.*")}
    definition = load_document(ROOT / "serverless.yml").data["functions"]
    handlers = {body["handler"].split("/")[1] for body in definition.values()}

    assert folders == handlers
    assert not [name for name in folders if not (ROOT / "functions" / name / "README.md").is_file()]


# --- Locks


def inputs(name: str, extra: str | None) -> list[str]:
    if name.endswith(".toml"):
        project = tomllib.loads((ROOT / name).read_text())["project"]
        more = project.get("optional-dependencies", {}).get(extra, []) if extra else []
        return [*project.get("dependencies", []), *more]
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def compiled() -> list[tuple[list[str], str | None, str]]:
    """Inputs, extra and lock of every line of ``scripts/lock.sh``."""
    lines = re.findall(
        r"^compile (.+?) -o (\S+)", (ROOT / "scripts/lock.sh").read_text(), re.MULTILINE
    )
    result = []
    for arguments, lock in lines:
        words = re.sub(r"-c \S+", "", arguments)
        extra = re.search(r"--extra (\S+)", words)
        files = re.sub(r"--no-deps|--extra \S+", "", words).split()
        result.append((files, extra[1] if extra else None, lock))
    return result


def pins(lock: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, version in re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", (ROOT / lock).read_text(), re.MULTILINE
    ):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


@pytest.mark.parametrize(("files", "extra", "lock"), compiled(), ids=str)
def test_a_lock_has_what_its_inputs_ask_for(files: list[str], extra: str | None, lock: str) -> None:
    locked, environment = pins(lock), default_environment()
    assert locked

    for requirement in (Requirement(text) for name in files for text in inputs(name, extra)):
        if requirement.marker and not requirement.marker.evaluate(dict(environment)):
            continue
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert any(requirement.specifier.contains(v, prereleases=True) for v in versions), (
            f"{lock} has {requirement.name} {versions}, wanted {requirement}: make lock"
        )


def test_every_lock_is_made_by_make_lock_and_hashed() -> None:
    locks = {
        file.relative_to(ROOT).as_posix()
        for file in tracked()
        if file.suffix == ".lock" and "==" in file.read_text()
    }
    known = {lock for _, _, lock in compiled()}

    assert locks <= known | LOCKS_OF_TESTS
    for lock in locks:
        text = (ROOT / lock).read_text()
        entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
        assert not [e.split("\n")[0] for e in entries if "==" in e and "--hash=sha256:" not in e]


#: Made by hand beside the tests that use them.
LOCKS_OF_TESTS = {"tests/rekognition/pictures.lock"}


def test_the_npm_lock_names_no_registry_and_pins_with_hashes() -> None:
    import json

    lock = json.loads((ROOT / "tests/osls/package-lock.json").read_text())
    wanted = json.loads((ROOT / "tests/osls/package.json").read_text())["dependencies"]
    packages = {name: body for name, body in lock["packages"].items() if name}

    assert lock["packages"][""]["dependencies"] == wanted
    assert not [name for name, body in packages.items() if "resolved" in body]
    assert not [
        n for n, b in packages.items() if not b.get("link") and not b["integrity"].startswith("sha")
    ]

"""Arguments and environment variables of an execution environment's process."""

from __future__ import annotations

import itertools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trigger_stack_engine.environments.debug_requests import DebugRequest
from trigger_stack_engine.environments.layers import merged_layers
from trigger_stack_engine.environments.runtimes import Runtimes, RuntimeUnavailableError
from trigger_stack_engine.environments.spawner import NothingToStartError, Spawner
from trigger_stack_engine.invoke.function import FunctionVersion

# Variables that LocalStack sets for its own container init, not for functions.
_INTERNAL = frozenset(
    {
        "LOCALSTACK_RUNTIME_ID",
        "LOCALSTACK_RUNTIME_ENDPOINT",
        "LOCALSTACK_FUNCTION_ACCOUNT_ID",
        "LOCALSTACK_INIT_LOG_LEVEL",
        "LOCALSTACK_POST_INVOKE_WAIT_MS",
        "LOCALSTACK_MAX_PAYLOAD_SIZE",
        "LOCALSTACK_USER",
        "AWS_LAMBDA_FUNCTION_TIMEOUT",
    }
)


def function_environment(
    env_vars: dict[str, str], own: dict[str, str], runtime: str
) -> dict[str, str]:
    """The documented environment variables, made of the ones that LocalStack prepared.

    Nothing of the emulator's own environment gets in (AWS documentation topic "Defined runtime
    environment variables").

    Args:
        env_vars: What LocalStack would give to its own container.
        own: The variables that the function is configured with.
        runtime: For example ``python3.13``.
    """
    variables = {
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        **{name: str(value) for name, value in env_vars.items() if name not in _INTERNAL},
    }
    if "AWS_EXECUTION_ENV" not in own:
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{runtime}"
    return variables


def own_folders(version: FunctionVersion, runtimes: Runtimes) -> tuple[Path, Path]:
    """Where a function's code and its merged layers are."""
    opt = merged_layers(runtimes.settings.work_dir / "layers", version.layers)
    return Path(version.code), opt


def package_folders(runtime: str, code: Path, opt: Path) -> list[Path]:
    """The folders that a Python function's own packages may lie in, in search order."""
    return [code, opt / f"python/lib/{runtime}/site-packages", opt / "python"]


@dataclass(frozen=True)
class Seen:
    """Paths as the function sees them."""

    task: str
    opt: str
    tmp: str
    runtime: str


EXEC_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
_USERS = itertools.count()
_USER_RANGE = 50_000
_DATA_SLACK = 1 << 30  # thread stacks and arenas are mapped far beyond what is used of them


class Launch:
    """Where one environment's code, layers and ``/tmp`` are, and how its process is asked for."""

    def __init__(self, version: FunctionVersion, environment_id: str, runtimes: Runtimes) -> None:
        self.id = environment_id
        self.version = version
        self.runtimes = runtimes
        settings = runtimes.settings
        self.folder = settings.work_dir / "environments" / environment_id
        self.runtime = version.runtime
        self.is_python = self.runtime.startswith("python")
        wrapped = bool(version.variables.get(EXEC_WRAPPER))
        self.forked = self.is_python and settings.zygote and not wrapped
        # A user of its own also keeps environments out of each other's memory and files.
        self.uid = settings.user_id + next(_USERS) % _USER_RANGE
        self._used: set[Spawner] = set()

    def is_ready(self) -> bool:
        """Whether :meth:`job` needs no waiting: its parent runs and its layers are merged."""
        return any(spawner.is_ready for spawner in self._used)

    def job(
        self, variables: dict[str, str], code: Path, debug: DebugRequest | None = None
    ) -> tuple[Spawner, dict[str, Any]]:
        """The spawn request and whom to send it to. Makes the environment's ``/tmp``.

        ``code`` is the folder of the function's code.

        Raises:
            SpawnError: The parent process does not come up, or there is nothing to start.
        """
        _, opt = own_folders(self.version, self.runtimes)
        spawner, keep = self.runtimes.plain, None
        if self.is_python:
            runtime = self.runtimes.python(self.runtime)
            spawner = runtime.plain
        if self.forked:
            spawner, keep = runtime.parent_for(package_folders(self.runtime, code, opt))
        isolation = spawner.isolation()
        self._used.add(spawner)
        runtime_dir = self._runtime_dir()
        seen = Seen(
            task="/var/task" if isolation["mounts"] else str(code),
            opt="/opt" if isolation["opt"] else str(opt),
            tmp="/tmp" if isolation["tmp"] else str(self._own_tmp(isolation)),  # noqa: S108  its own
            runtime="/var/runtime" if isolation["mounts"] else str(runtime_dir),
        )
        env = self._variables(variables, seen)
        job: dict[str, Any] = {
            "env": env,
            "cwd": seen.task,
            "argv": None,
            "code": str(code),
            "opt": str(opt),
            "tmp": {"id": self.id, "size_mb": self.version.tmp_mb},
            "uid": self.uid,
            "peer_uid": self.uid if isolation["users"] else os.geteuid(),
            "rlimits": self._limits(isolation),
        }
        if self.forked:
            job["python"] = runtime.job(seen.task, seen.opt, seen.runtime, keep)
            if debug:
                job["python"]["debug"] = {
                    "path": f"{seen.runtime}/.debug",
                    "port": debug.port,
                    "wait": debug.wait,
                }
            own = variables.get("PYTHONPATH", "")
            job["python"]["path"][:0] = [part for part in own.split(":") if part]
        else:
            job["argv"] = self._wrapped(env, self._command(env, seen, code, opt))
            if not self.is_python:  # whose parent has its own
                job["runtime"] = str(runtime_dir)
        return spawner, job

    def _runtime_dir(self) -> Path:
        if self.is_python:
            return self.runtimes.python(self.runtime).folder
        if self.runtime.startswith("nodejs"):
            try:
                return self.runtimes.node_folder(self.runtime)
            except RuntimeUnavailableError as error:
                raise NothingToStartError(str(error)) from error
        nothing = self.runtimes.settings.work_dir / "no-runtime"  # as for provided* on AWS
        nothing.mkdir(exist_ok=True)
        return nothing

    def _own_tmp(self, isolation: dict[str, Any]) -> Path:
        tmp = self.folder / "tmp"
        tmp.mkdir(parents=True, exist_ok=True)
        tmp.chmod(0o700)
        if isolation["users"]:
            os.chown(tmp, self.uid, self.uid)
            self.folder.chmod(0o711)
            self.folder.parent.chmod(0o711)
        return tmp

    def _variables(self, variables: dict[str, str], seen: Seen) -> dict[str, str]:
        env = {
            **variables,
            "LAMBDA_TASK_ROOT": seen.task,
            "LAMBDA_RUNTIME_DIR": seen.runtime,
            "PWD": seen.task,
            "SHLVL": "0",
        }
        if seen.tmp != "/tmp":  # noqa: S108  compared, not used
            # The documented equivalent where /tmp itself cannot be the function's own.
            env.setdefault("TMPDIR", seen.tmp)
        if seen.opt != "/opt":
            env["PATH"] = env["PATH"].replace("/opt/bin", f"{seen.opt}/bin")
        env.setdefault("LD_LIBRARY_PATH", f"{seen.task}:{seen.task}/lib:{seen.opt}/lib")
        if self.runtime.startswith("nodejs"):
            major = self.runtime.removeprefix("nodejs").partition(".")[0]
            parts = [
                f"{seen.opt}/nodejs/node{major}/node_modules",
                f"{seen.opt}/nodejs/node_modules",
            ]
            parts += [f"{seen.runtime}/node_modules", seen.runtime, seen.task]
            env.setdefault("NODE_PATH", ":".join(parts))
        if self.is_python:
            env.setdefault("PYTHONPATH", seen.runtime)
        return env

    def _limits(self, isolation: dict[str, Any]) -> dict[str, int]:
        mb = 1024 * 1024
        limits = {"RLIMIT_CORE": 0, "RLIMIT_NOFILE": 1024}
        if isolation["users"]:
            limits["RLIMIT_NPROC"] = 1024  # counts per user, so only with one's own
        if not isolation["tmp"]:
            limits["RLIMIT_FSIZE"] = self.version.tmp_mb * mb
        limits["RLIMIT_DATA"] = self.version.memory_mb * mb + _DATA_SLACK
        return limits

    def _wrapped(self, env: dict[str, str], command: list[str]) -> list[str]:
        """The command, run by the function's wrapper script where it has one.

        AWS topic: "Modifying the runtime environment". Custom runtimes have no wrapper script.
        """
        wrapper = env.get(EXEC_WRAPPER)
        if not wrapper or self.runtime.startswith("provided"):
            return command
        # A shell, as on AWS: a wrapper that is not there is exit status 127.
        return ["/bin/sh", "-c", 'exec "$0" "$@"', wrapper, *command]

    def _command(self, env: dict[str, str], seen: Seen, code: Path, opt: Path) -> list[str]:
        if self.is_python:
            runtime = self.runtimes.python(self.runtime)
            path = runtime.search_path(seen.task, seen.opt, seen.runtime)[:4]
            inherited = env["PYTHONPATH"]
            env["PYTHONPATH"] = ":".join(path if inherited == seen.runtime else [inherited, *path])
            return [
                runtime.interpreter,
                "-S",
                "-B",
                "-X",
                "utf8",
                "-m",
                "awslambdaric",
                env["_HANDLER"],
            ]
        if self.runtime.startswith("nodejs"):
            return [self.runtimes.node(), f"{seen.runtime}/start.mjs"]
        for real, name in ((code, seen.task), (opt, seen.opt)):
            if (real / "bootstrap").exists():
                return [f"{name}/bootstrap"]
        raise NothingToStartError(
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
        )

    def clean_up(self) -> None:
        """Remove the environment's ``/tmp``."""
        for spawner in self._used:
            spawner.release(self.id)
        shutil.rmtree(self.folder, ignore_errors=True)

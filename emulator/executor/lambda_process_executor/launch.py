"""What the process of an execution environment is started with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

from lambda_process_executor.layers import merged_layers
from lambda_process_executor.runtimes import PACKAGE, Runtimes
from lambda_process_executor.spawner import Spawner

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
    env_vars: dict[str, str], function_version: FunctionVersion
) -> dict[str, str]:
    """The documented environment variables, made of the ones that LocalStack prepared.

    Nothing of the emulator's own environment gets in (AWS documentation topic "Defined runtime
    environment variables").
    """
    config = function_version.config
    variables = {
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        **{name: str(value) for name, value in env_vars.items() if name not in _INTERNAL},
    }
    own = config.environment or {}
    if "AWS_EXECUTION_ENV" not in own:
        variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{config.runtime}"
    group = config.logging_config.get("LogGroup")
    if group:
        variables["AWS_LAMBDA_LOG_GROUP_NAME"] = group
    return variables


class Launch:
    """Where one environment's code, layers and ``/tmp`` are, and how its process is asked for."""

    def __init__(
        self, function_version: FunctionVersion, environment_id: str, runtimes: Runtimes
    ) -> None:
        self.config = function_version.config
        self.runtimes = runtimes
        settings = runtimes.settings
        self.folder = settings.work_dir / "environments" / environment_id
        self.tmp = self.folder / "tmp"
        self.runtime = str(self.config.runtime)
        self.is_python = self.runtime.startswith("python")
        self.forked = self.is_python and settings.zygote
        self.spawner: Spawner = (
            runtimes.python(self.runtime).spawner if self.forked else runtimes.plain
        )

    def job(self, variables: dict[str, str]) -> dict[str, Any]:
        """The spawn request. Makes the environment's ``/tmp`` if it is not there."""
        assert self.config.code is not None
        code = Path(self.config.code.get_unzipped_code_location())
        opt = merged_layers(
            self.runtimes.settings.work_dir / "layers",
            [(layer.layer_version_arn, layer.code) for layer in self.config.layers if layer.code],
        )
        self.tmp.mkdir(parents=True, exist_ok=True)
        self.tmp.chmod(0o777)
        env = self._paths(variables, code, opt)
        job: dict[str, Any] = {
            "env": env,
            "cwd": str(code),
            "argv": None,
            "rlimits": self._limits(),
        }
        if self.forked:
            runtime = self.runtimes.python(self.runtime)
            site = f"python/lib/{self.runtime}/site-packages"
            job["python"] = runtime.job(str(code), str(opt), [code, opt / site, opt / "python"])
            extra = [part for part in env.get("PYTHONPATH", "").split(":") if part]
            job["python"]["path"][:0] = extra
        else:
            job["argv"] = self._command(env, code, opt)
        return job

    def _paths(self, variables: dict[str, str], code: Path, opt: Path) -> dict[str, str]:
        env = {
            **variables,
            "LAMBDA_TASK_ROOT": str(code),
            "LAMBDA_RUNTIME_DIR": str(PACKAGE),
            "HOME": str(self.tmp),
            "TMPDIR": str(self.tmp),
        }
        env["PATH"] = env["PATH"].replace("/opt/bin", str(opt / "bin"))
        env.setdefault("LD_LIBRARY_PATH", f"{code}:{code / 'lib'}:{opt / 'lib'}")
        return env

    def _limits(self) -> dict[str, int]:
        return {"RLIMIT_CORE": 0, "RLIMIT_NOFILE": 1024, "RLIMIT_NPROC": 1 << 20}

    def _command(self, env: dict[str, str], code: Path, opt: Path) -> list[str]:
        if self.is_python:
            runtime = self.runtimes.python(self.runtime)
            path = runtime.search_path(str(code), str(opt))[:4]
            inherited = env.get("PYTHONPATH", "")
            env["PYTHONPATH"] = ":".join([*([inherited] if inherited else []), *path])
            return [runtime.interpreter, "-S", "-B", "-m", "awslambdaric", env["_HANDLER"]]
        for candidate in (code / "bootstrap", opt / "bootstrap"):
            if candidate.exists():
                return [str(candidate)]
        return [str(code / "bootstrap")]

    def clean_up(self) -> None:
        """Remove the environment's ``/tmp``."""
        shutil.rmtree(self.folder, ignore_errors=True)

"""Python code in processes of their own that have imported LocalStack when they begin.

To import LocalStack takes most of a second of the processor, and what is about patches has to begin
with nothing patched. So one process imports what patches nothing, and is forked for each piece of
code: what one changes, no other sees.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import types
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Each patches nothing, reads no model, and starts no reactor.
IMPORTED = (
    "boto3",
    "localstack.aws.api.logs",
    "localstack.aws.connect",
    "localstack.aws.forwarder",
    "localstack.aws.protocol.serializer",
    "localstack.services.plugins",
    "moto.core.models",
    "moto.core.responses",
    "rolo.gateway",
    "werkzeug.routing",
)


class Fresh:
    """The process that is forked."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fresh"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self,
        code: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        timeout: int = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run code in a fork, as ``subprocess.run`` runs ``python -c`` with its output captured.

        Args:
            code: Python.
            arguments: ``sys.argv`` behind the first.
            env: The environment; without one, that of the tests.
            timeout: In seconds; an alarm ends it then.
        """
        with tempfile.TemporaryDirectory() as folder:
            output = [f"{folder}/stdout", f"{folder}/stderr"]
            environment = dict(os.environ if env is None else env)
            request = [code, arguments, environment, timeout, output]
            assert self._parent.stdin
            assert self._parent.stdout
            self._parent.stdin.write(json.dumps(request) + "\n")
            self._parent.stdin.flush()
            status = int(self._parent.stdout.readline())
            printed = [Path(file).read_text(encoding="utf-8") for file in output]
        return subprocess.CompletedProcess(
            code, os.waitstatus_to_exitcode(status), printed[0], printed[1]
        )

    def close(self) -> None:
        """End the process."""
        self._parent.communicate(timeout=60)


def _forks() -> str:
    """Fork for each request; returns in a fork, with its code."""
    for line in sys.stdin:
        code, arguments, environment, timeout, output = json.loads(line)
        pid = os.fork()
        if pid:
            print(os.waitpid(pid, 0)[1], flush=True)
            continue
        signal.alarm(timeout)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in enumerate(output, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), number)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["-c", *arguments]
        return str(code)
    sys.exit()


def _exit_code(code: str) -> int:
    """Run code as the main module; what it prints of an error is as ever."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        exec(compile(code, "<string>", "exec"), vars(main))
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    for one in IMPORTED:
        importlib.import_module(one)
    assert "twisted.internet.reactor" not in sys.modules  # its descriptors would be shared
    gc.freeze()
    exit_code = _exit_code(_forks())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)  # to free each imported object takes longer than most of the code

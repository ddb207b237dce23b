"""A LocalStack of its own for the executor's tests, and short words for what they do with it."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import signal
import subprocess
import sys
import textwrap
import threading
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psutil
import requests
from botocore.config import Config

from tests.support.booting import BOOT_SECONDS, boot_turn, provide_index
from tests.support.ports import free_block, free_port
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::000000000000:role/test"
PYTHON = f"python3.{sys.version_info.minor}"
SERVICES = (
    "apigateway,apigatewayv2,cloudformation,cloudwatch,cognito-idp,dynamodb,dynamodbstreams,ec2,"
    "ecr,elbv2,events,iam,kinesis,kms,lambda,logs,pipes,s3,scheduler,sns,sqs,ssm,sts"
)


def runtimes_dir() -> Path:
    """The Python runtimes of the clone's set-up; made when it is not there."""
    folder = Path(
        os.environ.get("LAMBDA_PROCESS_PYTHON_RUNTIMES") or ROOT / ".build/python-runtime"
    )
    if not (folder / PYTHON / ".digest").exists():
        interpreter = Path(sys.executable).resolve()
        subprocess.run(
            [
                ROOT / "emulator/python-runtime/install.sh",
                ROOT / ".venv/bin/uv",
                interpreter,
                folder,
            ],
            check=True,
        )
    return folder


def archive(files: dict[str, str | bytes]) -> bytes:
    """A deployment package; every file may be executed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o755 << 16
            text = textwrap.dedent(content) if isinstance(content, str) else content
            package.writestr(info, text)
    return buffer.getvalue()


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


#: Those that functions need; all of them take three seconds longer and 350 MB more.
_PRELOADED = ("lambda", "logs", "cloudwatch")


#: Where the interpreters of other runtimes are, and how uv reaches an index of packages.
_INSTALLER = (
    "PYENV_ROOT",
    "UV_",
    "SSL_CERT_",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)


@dataclass(frozen=True)
class Reply:
    """The result of an invoke."""

    status: int
    error: str | None
    text: str
    tail: str
    request_id: str

    @property
    def value(self) -> Any:
        return json.loads(self.text)


@dataclass
class Stack:
    """A running LocalStack with the process executor.

    Attributes:
        port: Of the AWS API.
        http_port: Of HTTP APIs, REST APIs and function URLs.
        folder: Where its log and its state are.
    """

    port: int
    http_port: int
    folder: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    _making: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def client(self, service: str) -> Any:
        """The client of a service; to make one takes as long as ten requests."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._client(service)
            return self._clients[service]

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]  # the stubs want a literal
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(
                retries={"total_max_attempts": 1},
                read_timeout=90,
                max_pool_connections=250,
                parameter_validation=False,
            ),
        )

    def role(self, arn: str = ROLE, *principals: str, allowed: str | list[str] = "*") -> str:
        """Make a role, unless it is there; services of these principals may assume it."""
        iam, name = self.client("iam"), arn.rpartition("/")[2]
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole"}
        trust |= {"Principal": {"Service": list(principals or ("lambda.amazonaws.com",))}}
        actions = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_policy(actions))
        return arn

    # -- functions ------------------------------------------------------------

    def create(
        self,
        code: str | dict[str, str | bytes],
        *,
        runtime: str = PYTHON,
        handler: str = "app.handler",
        wait: bool = True,
        **config: Any,
    ) -> str:
        """Create a function of a random name; ``code`` is the text of app.py or all files."""
        name = f"fn-{secrets.token_hex(6)}"
        files = {"app.py": code} if isinstance(code, str) else code
        client = self.client("lambda")
        client.create_function(
            FunctionName=name,
            Runtime=runtime,
            Role=ROLE,
            Handler=handler,
            Code={"ZipFile": archive(files)},
            **{"Timeout": 15, **config},
        )
        if wait:
            self.wait_ready(name)
        return name

    def wait_ready(self, name: str) -> None:
        def ready() -> bool:
            state = self.client("lambda").get_function_configuration(FunctionName=name)
            assert state["State"] == "Active", (state["State"], state.get("StateReason"))
            return state.get("LastUpdateStatus") == "Successful"

        # The first Node.js function waits for npm, which may take its own time-outs: 2 x 50 s.
        eventually(ready, seconds=110, every=0.05)

    def layer(self, files: dict[str, str | bytes]) -> str:
        """Publish a layer; returns its version ARN."""
        answer = self.client("lambda").publish_layer_version(
            LayerName=f"layer-{secrets.token_hex(6)}", Content={"ZipFile": archive(files)}
        )
        return str(answer["LayerVersionArn"])

    def invoke(self, name: str, event: Any = None, **arguments: Any) -> Reply:
        arguments.setdefault("LogType", "Tail")
        answer = self.client("lambda").invoke(
            FunctionName=name, Payload=json.dumps(event), **arguments
        )
        return Reply(
            answer["StatusCode"],
            answer.get("FunctionError"),
            answer["Payload"].read().decode(),
            base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"),
            answer["ResponseMetadata"]["RequestId"],
        )

    def invoke_many(self, name: str, events: list[Any]) -> list[Reply]:
        client = self.client("lambda")

        def call(event: Any) -> Reply:
            answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
            return Reply(
                answer["StatusCode"],
                answer.get("FunctionError"),
                answer["Payload"].read().decode(),
                "",
                answer["ResponseMetadata"]["RequestId"],
            )

        with ThreadPoolExecutor(len(events)) as pool:
            return list(pool.map(call, events))

    # -- logs ------------------------------------------------------------

    def log_events(self, name: str) -> list[dict[str, Any]]:
        """All log events of a function, each stream's in its order."""
        logs = self.client("logs")
        group = f"/aws/lambda/{name}"
        events: list[dict[str, Any]] = []
        try:
            pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
            streams = [stream for page in pages for stream in page["logStreams"]]
        except logs.exceptions.ResourceNotFoundException:
            return []
        for stream in streams:
            token = None
            while True:
                more = {"nextToken": token} if token else {}
                page = logs.get_log_events(
                    logGroupName=group,
                    logStreamName=stream["logStreamName"],
                    startFromHead=True,
                    **more,
                )
                events += page["events"]
                if page["nextForwardToken"] == token or not page["events"]:
                    break
                token = page["nextForwardToken"]
        return events

    def messages(self, name: str, *, until: str, count: int = 1) -> list[str]:
        """The function's log messages, as soon as ``until`` is in ``count`` of them."""

        def found() -> list[str]:
            texts = [event["message"] for event in self.log_events(name)]
            assert sum(until in text for text in texts) >= count, texts[-20:]
            return texts

        return eventually(found)

    # -- processes ------------------------------------------------------------

    def processes(self) -> list[psutil.Process]:
        """Everything that LocalStack has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def begun(self) -> list[psutil.Process]:
        """The same without the processes that were forked ahead and have no function yet."""
        return [process for process in self.processes() if not _is_ahead(process)]

    def stop(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(120)  # several end at once, on a busy machine


#: How ``make up`` starts LocalStack, and how LocalStack starts itself: that takes a second of the
#: processor longer to begin, and four to end.
OUR_START = "trigger_stack.localstack.serve"
ITS_START = "localstack.runtime.main"

#: A free port may be taken by another program before the emulator listens on it.
_PORTS_TO_TRY = 3


class PortTakenError(Exception):
    """Another program took the port before the emulator listened on it."""


def start_stack(
    folder: Path,
    launcher: Sequence[str] = (),
    *,
    python: str = sys.executable,
    module: str = OUR_START,
    owner: int | None = None,
    **settings: str,
) -> Stack:
    """Start LocalStack with its state in ``folder`` and wait until it answers.

    ``launcher`` is a command that runs the one it is followed by; ``python`` the interpreter of
    LocalStack and ``module`` what that runs; ``owner`` the user whom ``folder`` belongs to.
    """
    for attempt in range(_PORTS_TO_TRY):
        try:
            return _start_stack(
                folder / f"{attempt}" if attempt else folder,
                launcher,
                python=python,
                module=module,
                owner=owner,
                **settings,
            )
        except PortTakenError:
            continue
    raise AssertionError(f"{_PORTS_TO_TRY} free ports were taken before they could be used")


def _start_stack(
    folder: Path,
    launcher: Sequence[str] = (),
    *,
    python: str = sys.executable,
    module: str = OUR_START,
    owner: int | None = None,
    **settings: str,
) -> Stack:
    port, http_port = free_port(), free_port()
    first = free_block()
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    provide_index(folder)
    if owner is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, -1)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
        "DYNAMODB_LOCAL_DIR": str(ROOT / ".build/dynamodb-local"),
        "FILESYSTEM_ROOT": str(folder),
        # LocalStack does not end when CloudWatch is loaded while it shuts down.
        "PRELOAD_SERVICES": ",".join(_PRELOADED),
        "OVERRIDE_IN_DOCKER": "0",  # LocalStack uses the folder above outside containers only
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_SERVER": "interface",
        "HTTP_API_PORT": str(http_port),
        "LAMBDA_PROCESS_PYTHON_RUNTIMES": str(runtimes_dir()),
        "LAMBDA_RETRY_BASE_DELAY": "1",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "LOAD_BALANCER_PORTS": f"{first}-{first + 39}",
        "CLOUDFRONT_PORTS": f"{first + 40}-{first + 79}",
        "LOG_EVENTS_MAX": os.environ.get("LOG_EVENTS_MAX", ""),
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
        "PROVIDER_OVERRIDE_DYNAMODB": "v2",
        "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",
        "SERVICES": SERVICES,
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "TMPDIR": str(folder / "tmp"),
        **{name: value for name, value in os.environ.items() if name.startswith(_INSTALLER)},
        **settings,
    }
    with boot_turn():
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*launcher, python, "-m", module],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        stack = Stack(port, int(environment["HTTP_API_PORT"]), folder, process)

        def answers() -> bool:
            log = stack.log
            if "Address already in use" in log or "is taken by another program" in log:
                raise PortTakenError
            assert process.poll() is None, stack.log
            try:
                url = f"http://127.0.0.1:{port}/_localstack/health"
                health = requests.get(url, timeout=2).json()
            except (requests.RequestException, ValueError):
                return False
            return all(health["services"].get(name, "running") == "running" for name in _PRELOADED)

        try:
            eventually(answers, seconds=BOOT_SECONDS)
        except BaseException:
            process.kill()
            raise
    return stack


def _is_ahead(process: psutil.Process) -> bool:
    """Whether it is forked from a parent of functions, and in that one's session still."""
    try:
        parent = process.parent()
        engine_ = parent.parent() if parent is not None else None
        return (
            parent is not None
            and engine_ is not None
            and _is_engine(engine_)
            and os.getsid(process.pid) == parent.pid
        )
    except (psutil.Error, ProcessLookupError):
        return False  # it has ended


def alive(process: psutil.Process) -> bool:
    """Whether it runs; a dead process that nobody has waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def engine(stack: Stack) -> psutil.Process:
    """The engine's process."""

    def found() -> psutil.Process:
        children = psutil.Process(stack.process.pid).children()
        engines = [process for process in children if alive(process) and _is_engine(process)]
        assert len(engines) == 1, engines
        return engines[0]

    return eventually(found)


def _is_engine(process: psutil.Process) -> bool:
    try:
        return "trigger_stack_engine.engine" in process.cmdline()
    except psutil.Error:  # it ended in this moment
        return False


def nothing_left(processes: Iterable[psutil.Process]) -> None:
    """Wait until all of ``processes`` have ended."""

    def ended() -> bool:
        left = [process for process in processes if alive(process)]
        assert not left, left
        return True

    eventually(ended)


def kill(process: psutil.Process) -> None:
    """Kill ``process`` and wait for the end of its last thread, which closes its sockets."""
    process.send_signal(signal.SIGKILL)
    eventually(lambda: not alive(process) and not _threads(process.pid) - {process.pid})


def _threads(pid: int) -> set[int]:
    try:
        return {int(one.name) for one in Path(f"/proc/{pid}/task").iterdir()}
    except OSError:
        return set()

"""The Runtime API as a custom runtime sees it, over a socket, in a real environment."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import trigger_stack_engine
from tests.engine.lambda_stack import PYTHON, Stack, runtimes_dir, start_stack
from tests.support.waiting import eventually
from trigger_stack_engine.environments.node.client import NodeClient, NodeClientError

# A custom runtime in Python: `ask(method, path, body, headers)` and one event after the other.
# Its interpreter is not the virtual environment's: that may lie in a /tmp functions cannot see.
CLIENT = f"""#!{Path(sys.executable).resolve()}
import http.client, json, os, socket, time
API = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime"
def ask(method, path, body=None, headers={{}}):
    connection = http.client.HTTPConnection(API, timeout=10)
    connection.request(method, BASE + path, body, headers)
    response = connection.getresponse()
    return response.status, response.read().decode(), dict(response.headers)
def raw(data):
    host, port = API.split(":")
    with socket.create_connection((host, int(port)), 5) as s:
        s.settimeout(5)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        got = b""
        while part := s.recv(65536): got += part
    return got.decode()
"""


def runtime(stack: Stack, body: str, **config: object) -> str:
    return stack.create({"bootstrap": CLIENT + body}, runtime="provided.al2023", **config)


def test_headers_of_next(stack: Stack) -> None:
    name = runtime(
        stack,
        """
while True:
    status, event, headers = ask("GET", "/invocation/next")
    left = int(headers["Lambda-Runtime-Deadline-Ms"]) - time.time() * 1000
    ask("POST", f"/invocation/{headers['Lambda-Runtime-Aws-Request-Id']}/response",
        json.dumps([status, json.loads(event), headers, left]))
""",
        Timeout=7,
    )
    context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()

    reply = stack.invoke(name, {"x": 1}, ClientContext=context)

    status, event, headers, left = reply.value
    assert (status, event) == (200, {"x": 1})
    assert headers["Lambda-Runtime-Aws-Request-Id"] == reply.request_id
    assert headers["Lambda-Runtime-Invoked-Function-Arn"].endswith(f":function:{name}")
    assert headers["Lambda-Runtime-Trace-Id"].startswith("Root=1-")
    assert headers["Lambda-Runtime-Client-Context"] == '{"custom": {"a": "b"}}'
    assert 0 < left <= 7000


def test_order_and_ids_are_enforced(stack: Stack) -> None:
    name = runtime(
        stack,
        """
seen = []
seen.append(ask("POST", "/invocation/none/response", "1")[0])
while True:
    _, _, headers = ask("GET", "/invocation/next")
    me = headers["Lambda-Runtime-Aws-Request-Id"]
    seen.append(ask("GET", "/invocation/next")[0])
    seen.append(ask("POST", "/init/error", "{}")[0])
    seen.append(ask("POST", "/invocation/other/response", "1")[0])
    seen.append(ask("GET", f"/invocation/{me}/response")[0])
    seen.append(ask("GET", "/nothing")[0])
    first = list(seen)
    seen.append(ask("POST", f"/invocation/{me}/response", json.dumps(first))[0])
    seen.append(ask("POST", f"/invocation/{me}/response", '"twice"')[0])
    seen.append(ask("POST", f"/invocation/{me}/error", '{}')[0])
""",
    )

    assert stack.invoke(name).value == [400, 403, 403, 400, 405, 404]
    assert stack.invoke(name).value[6:9] == [202, 403, 403], "the second answer is refused"


def test_init_error(stack: Stack) -> None:
    name = runtime(
        stack,
        """
ask("POST", "/init/error", json.dumps({"errorType": "My.Error", "errorMessage": "no luck"}),
    {"Lambda-Runtime-Function-Error-Type": "My.Error"})
""",
    )

    assert stack.invoke(name).value == {"errorType": "My.Error", "errorMessage": "no luck"}


def test_an_error_that_is_no_json_becomes_json(stack: Stack) -> None:
    name = runtime(
        stack,
        """
while True:
    _, _, headers = ask("GET", "/invocation/next")
    ask("POST", f"/invocation/{headers['Lambda-Runtime-Aws-Request-Id']}/error", b"\\xff oh")
""",
    )

    reply = stack.invoke(name)

    assert reply.error == "Unhandled"
    assert reply.value["errorType"] == "Runtime.Unknown"


def test_no_bootstrap(stack: Stack) -> None:
    name = stack.create({"other": "x"}, runtime="provided.al2023")

    value = stack.invoke(name).value

    assert value["errorType"] == "Runtime.InvalidEntrypoint"
    assert "bootstrap" in value["errorMessage"]


@pytest.mark.parametrize("content", ["not a program", "#!/nothing/here\n"])
def test_a_bootstrap_that_cannot_be_executed(stack: Stack, content: str) -> None:
    name = stack.create({"bootstrap": content}, runtime="provided.al2023")

    assert stack.invoke(name).value["errorType"] == "Runtime.InvalidEntrypoint"


def test_malformed_requests_are_answered_and_change_nothing(stack: Stack) -> None:
    name = runtime(
        stack,
        r"""
bad = [b"\r\n\r\n", b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00\x01\x02\x03" * 9,
       b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
       b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
       b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nno colon\r\n\r\n",
       b"GET " + b"/a" * 2000000 + b" HTTP/1.1\r\n\r\n"]
while True:
    _, _, headers = ask("GET", "/invocation/next")
    got = []
    for data in bad:
        try: got.append(raw(data).partition("\r\n")[0])
        except OSError as error: got.append(type(error).__name__)
    ask("POST", f"/invocation/{headers['Lambda-Runtime-Aws-Request-Id']}/response", json.dumps(got))
""",
    )

    lines = stack.invoke(name).value

    # Empty lines in front of a request are passed over (RFC 9112); here none follows.
    assert lines[0] == ""
    assert lines[1:7] == ["HTTP/1.1 400 Bad Request"] * 6
    # The connection may be reset while the client still sends its 4 MB.
    assert lines[7] in ("HTTP/1.1 400 Bad Request", "ConnectionResetError", "BrokenPipeError")
    assert len(lines) == 8
    assert stack.invoke(name).error is None


# --- Node.js, under AWS's client

NODE = r"""
let calls = 0
const later = (ms, what) => setTimeout(what, ms)
exports.handler = async (event, context) => {
  console.log('hello\nworld', { calls: ++calls })
  process.stdout.write('plain\n')
  if (event.fail) throw event.fail === 'text' ? 'no error object' : new TypeError('bad')
  return {
    event, calls, id: context.awsRequestId, left: context.getRemainingTimeInMillis(),
    arn: context.invokedFunctionArn, client: context.clientContext
  }
}
exports.callback = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = event.wait
  callback(event.fail ? new RangeError(event.fail) : null, 'at once')
  later(event.wait ? 100 : 5000, () => console.log('after'))
}
exports.silent = () => {}
exports.uncaught = async event => {
  if (event.rejection) Promise.reject(new Error('nobody looks'))
  else later(1, () => { throw new RangeError('nobody catches') })
  if (event.rejection || event.thrown) await new Promise(resolve => later(10000, resolve))
}
exports.exit = async event => { process.exit(event.status) }
exports.answered = (event, context) => {
  context.succeed('x'.repeat(event.size))
  process.exit(1)
}
exports.flood = async () => {
  for (let i = 0; i < 1000; i++) {
    console.log(`${i}\n` + 'y'.repeat(1000))
    process.stdout.write(`line ${i}\n`)
  }
}
exports.large = async event => 'z'.repeat(event.size)
exports.stream = awslambda.streamifyResponse(async (event, stream, context) => {
  context.callbackWaitsForEmptyEventLoop = false
  if (event.prelude) stream = awslambda.HttpResponseStream.from(stream, event.prelude)
  for (const part of event.parts ?? []) {
    stream.write(part)
    await new Promise(resolve => later(1, resolve))
  }
  if (event.size) stream.write(Buffer.alloc(event.size, 'a'))
  if (event.fail) throw new TypeError(event.fail)
  stream.end()
})
"""


def node(stack: Stack, handler: str = "handler", **config: object) -> str:
    return stack.create({"app.js": NODE}, runtime="nodejs20.x", handler=f"app.{handler}", **config)


def test_node(stack: Stack) -> None:
    name = node(stack)
    context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()

    cold = stack.invoke(name, {"a": 1}, ClientContext=context)
    warm = stack.invoke(name, {})

    assert cold.value["event"] == {"a": 1}
    assert cold.value["id"] == cold.request_id
    assert cold.value["arn"].endswith(f":function:{name}")
    assert cold.value["client"] == {"custom": {"a": "b"}}
    assert 0 < cold.value["left"] <= 15000
    assert "Init Duration" in cold.tail
    assert warm.value["calls"] == 2, "the same process"
    assert warm.value["id"] == warm.request_id
    assert "client" not in warm.value
    assert "Init Duration" not in warm.tail


def test_a_message_of_the_node_console_is_one_event(stack: Stack) -> None:
    name = node(stack)

    request_id = stack.invoke(name, {}).request_id
    messages = stack.messages(name, until="REPORT")

    assert [message.partition("Z\t")[2] for message in messages if "hello" in message] == [
        f"{request_id}\tINFO\thello\nworld {{ calls: 1 }}\n"
    ]
    assert "plain\n" in messages


def test_a_flood_of_node_output_is_complete_and_in_order(stack: Stack) -> None:
    name = node(stack, "flood", MemorySize=512)

    assert stack.invoke(name).text == "null"
    messages = stack.messages(name, until="REPORT")[2:-2]

    assert len(messages) == 2000
    for number, (logged, line) in enumerate(zip(messages[::2], messages[1::2], strict=True)):
        assert logged.endswith(f"\tINFO\t{number}\n{'y' * 1000}\n")
        assert line == f"line {number}\n"


def test_json_logs_of_node(stack: Stack) -> None:
    name = node(stack, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"})

    request_id = stack.invoke(name, {"fail": "error"}).request_id
    messages = stack.messages(name, until="platform.report")
    logged = [json.loads(message) for message in messages if "timestamp" in message]

    assert [(entry["level"], entry["requestId"]) for entry in logged] == [
        ("INFO", request_id),
        ("ERROR", request_id),
    ]
    assert logged[0]["message"] == "hello\nworld { calls: 1 }"
    assert logged[1]["message"]["errorType"] == "TypeError"
    assert logged[1]["message"]["stackTrace"][0] == "TypeError: bad"


@pytest.mark.parametrize(
    "files",
    [
        {"app.js": "exports.handler = async () => 'loaded'"},
        {"app.cjs": "exports.handler = async () => 'loaded'"},
        {"app.mjs": "import 'node:fs'\nexport const handler = async () => 'loaded'"},
        {
            "app.js": "await null\nexport const handler = async () => 'loaded'",
            "package.json": '{"type": "module"}',
        },
        {
            "app.js": "exports.handler = async () => require('dependency')",
            "node_modules/dependency/index.js": "module.exports = 'loaded'",
        },
    ],
    ids=["js", "cjs", "mjs", "type module", "dependency"],
)
def test_node_modules(stack: Stack, files: dict[str, str | bytes]) -> None:
    assert stack.invoke(stack.create(files, runtime="nodejs20.x")).value == "loaded"


def test_errors_of_a_node_handler(stack: Stack) -> None:
    name = node(stack)

    failed = stack.invoke(name, {"fail": "error"})
    text = stack.invoke(name, {"fail": "text"})

    assert failed.error == text.error == "Unhandled"
    assert set(failed.value) == {"errorType", "errorMessage", "trace"}
    assert (failed.value["errorType"], failed.value["errorMessage"]) == ("TypeError", "bad")
    assert failed.value["trace"][0] == "TypeError: bad"
    assert re.fullmatch(r"    at exports\.handler \(.*/app\.js:7:\d+\)", failed.value["trace"][1])
    assert f"\t{failed.request_id}\tERROR\tInvoke Error \t{{" in failed.tail
    assert text.value == {"errorType": "string", "errorMessage": "no error object", "trace": []}
    assert stack.invoke(name, {}).value["calls"] == 3, "an error does not end the process"


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        ({"rejection": 1}, "Runtime.UnhandledPromiseRejection", "Error: nobody looks"),
        ({"thrown": 1}, "RangeError", "nobody catches"),
    ],
)
def test_what_nobody_catches_ends_node(
    stack: Stack, event: dict[str, int], kind: str, message: str
) -> None:
    name = node(stack, "uncaught")

    for _ in range(2):
        reply = stack.invoke(name, event)
        assert reply.error == "Unhandled"
        assert (reply.value["errorType"], reply.value["errorMessage"]) == (kind, message)
        assert reply.value["trace"][0] == f"{kind}: {message}"
        assert "\tERROR\tUn" in reply.tail


def test_callbacks_of_node(stack: Stack) -> None:
    name = node(stack, "callback")

    waited = stack.invoke(name, {"wait": True})
    at_once = stack.invoke(name, {"wait": False})
    failed = stack.invoke(name, {"wait": True, "fail": "called back"})

    assert waited.value == at_once.value == "at once"
    assert "\tINFO\tafter\n" in waited.tail, "until nothing is left to do"
    assert "\tINFO\tafter\n" not in at_once.tail
    assert (failed.value["errorType"], failed.value["errorMessage"]) == (
        "RangeError",
        "called back",
    )
    assert stack.invoke(node(stack, "silent"), {}).text == "null"


def test_node_exits(stack: Stack) -> None:
    name = node(stack, "exit")

    for status, reason in ((3, "exited with error: exit status 3"), (0, "without providing a")):
        reply = stack.invoke(name, {"status": status})
        assert reply.error == "Unhandled"
        assert reply.value["errorType"] == "Runtime.ExitError"
        assert reason in reply.value["errorMessage"]


@pytest.mark.parametrize("size", [1, 5 * 1024 * 1024])
def test_an_answer_that_was_given_before_node_exits_counts(stack: Stack, size: int) -> None:
    name = node(stack, "answered", MemorySize=512)

    for _ in range(3):
        assert stack.invoke(name, {"size": size}).value == "x" * size


@pytest.mark.parametrize(
    ("files", "handler", "kind"),
    [
        ({"app.js": NODE}, "app.nothing", "Runtime.HandlerNotFound"),
        ({"app.js": "exports.handler = 1"}, "app.handler", "Runtime.HandlerNotFound"),
        ({"app.js": NODE}, "other.handler", "Runtime.ImportModuleError"),
        ({"app.js": "require('gone')"}, "app.handler", "Runtime.ImportModuleError"),
        ({"app.js": NODE}, "../app.handler", "Runtime.MalformedHandlerName"),
        ({"app.js": "const = 1"}, "app.handler", "Runtime.UserCodeSyntaxError"),
        ({"app.js": "throw new URIError('x')"}, "app.handler", "URIError"),
    ],
)
def test_node_that_cannot_start(
    stack: Stack, files: dict[str, str | bytes], handler: str, kind: str
) -> None:
    name = stack.create(files, runtime="nodejs20.x", handler=handler)

    reply = stack.invoke(name)

    assert reply.error == "Unhandled"
    assert reply.value["errorType"] == kind
    assert "\tundefined\tERROR\tUncaught Exception \t{" in reply.tail


@pytest.mark.parametrize("handler", ["large", "stream"])
def test_an_answer_of_node_that_is_too_large(stack: Stack, handler: str) -> None:
    name = node(stack, handler, MemorySize=512)

    reply = stack.invoke(name, {"size": 7 * 1024 * 1024})

    assert reply.error == "Unhandled"
    assert reply.value["errorType"] == "Function.ResponseSizeTooLarge"
    assert stack.invoke(name, {"size": 3}).error is None


def test_streamed_responses(stack: Stack) -> None:
    name = node(stack, "stream")

    for parts in (["one ", "two ", "thrée"], ["again"], []):
        reply = stack.invoke(name, {"parts": parts})
        assert (reply.error, reply.text) == (None, "".join(parts))
    prelude = {"statusCode": 201, "headers": {"a": "b"}}
    reply = stack.invoke(name, {"prelude": prelude, "parts": ["body"]})
    head, _, body = reply.text.partition("\0" * 8)
    assert (json.loads(head), body) == (prelude, "body")
    assert "Init Duration" not in reply.tail, "the same process"


@pytest.mark.parametrize("size", [0, 5 * 1024 * 1024])
def test_a_streamed_response_that_fails_is_an_error(stack: Stack, size: int) -> None:
    """A large one is still being read when the client asks for the next event."""
    name = node(stack, "stream", MemorySize=512)

    for number in range(10):
        reply = stack.invoke(name, {"parts": ["a"], "size": size, "fail": f"né {number}"})
        assert reply.error == "Unhandled"
        assert (reply.value["errorType"], reply.value["errorMessage"]) == (
            "TypeError",
            f"né {number}",
        )
        assert reply.value["trace"][0] == f"TypeError: né {number}"
        assert ("Init Duration" in reply.tail) == (number == 0), "the same process"


SDK = """
const body = 'x'.repeat(100000)
export const handler = async event => {
  const s3 = new S3Client({}), dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient({}))
  await s3.send(new PutObjectCommand({ Bucket: event.bucket, Key: 'a b+c', Body: body }))
  const found = await s3.send(new GetObjectCommand({ Bucket: event.bucket, Key: 'a b+c' }))
  return [(await found.Body.transformToString()) === body, dynamodb.constructor.name]
}
"""
NAMES = (
    ("S3Client, PutObjectCommand, GetObjectCommand", "@aws-sdk/client-s3"),
    ("DynamoDBClient", "@aws-sdk/client-dynamodb"),
    ("DynamoDBDocumentClient", "@aws-sdk/lib-dynamodb"),
)


@pytest.mark.parametrize("kind", ["ES module", "CommonJS"])
def test_node_functions_find_the_sdk(stack: Stack, kind: str) -> None:
    """It is in the runtime, for `import` and for `require` (Lambda, "Node.js runtimes")."""
    bucket = f"sdk-{secrets.token_hex(6)}"
    stack.client("s3").create_bucket(Bucket=bucket)
    if kind == "CommonJS":
        lines = [f"const {{ {names} }} = require('{package}')" for names, package in NAMES]
        code = {"app.js": "\n".join(lines) + SDK.replace("export const handler", "exports.handler")}
    else:
        lines = [f"import {{ {names} }} from '{package}'" for names, package in NAMES]
        code = {"app.mjs": "\n".join(lines) + SDK}
    name = stack.create(code, runtime="nodejs20.x", Timeout=30)

    assert stack.invoke(name, {"bucket": bucket}).value == [True, "DynamoDBDocumentClient"]


# --- Installing AWS's client for Node.js


@dataclass
class Registry:
    """An `npm` of the test's own, and what it gives: one archive, or ``error``."""

    folder: Path
    integrity: str

    def client(self, runtimes: Path) -> NodeClient:
        client = NodeClient(runtimes, self.folder / "work")
        client.integrity = self.integrity
        return client

    def npm(self, script: str) -> None:
        file = self.folder / "bin/npm"
        file.write_text(f"#!/bin/sh\necho run >> {self.folder}/runs\n{script}\n")
        file.chmod(0o755)

    def give(self) -> None:
        self.npm(
            "if [ $1 = ci ]; then\n"
            "  mkdir -p node_modules/@aws-sdk/client-s3\n"
            "  umask 077; echo {} > node_modules/@aws-sdk/client-s3/package.json; exit\n"
            "fi\n"
            'while [ "$1" != --pack-destination ]; do shift; done\n'
            f'sleep 0.2; cp {self.folder}/client.tgz "$2"'
        )

    @property
    def runs(self) -> int:
        return len((self.folder / "runs").read_text().splitlines())


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    (tmp_path / "bin").mkdir()
    archive = tmp_path / "client.tgz"
    with tarfile.open(archive, "w:gz") as package:
        for name in ("dist/index.mjs", "LICENSE", "NOTICE", "THIRD-PARTY-LICENSES", "binding.gyp"):
            info = tarfile.TarInfo(f"package/{name}")
            info.size, info.mode = len(name), 0o600
            package.addfile(info, io.BytesIO(name.encode()))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}/usr/bin{os.pathsep}/bin")
    digest = hashlib.sha512(archive.read_bytes()).digest()
    made = Registry(tmp_path, f"sha512-{base64.b64encode(digest).decode()}")
    made.give()
    return made


def test_the_node_client_is_installed_once(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtimes = tmp_path / "runtimes"
    client = registry.client(runtimes)
    old = os.umask(0o077)
    try:
        with ThreadPoolExecutor(8) as pool:
            folders = set(pool.map(lambda _: client.folder(), range(8)))
    finally:
        os.umask(old)

    assert registry.runs == 2, "one for the client, one for the SDK"
    (folder,) = folders
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {
        "index.mjs", "start.mjs", "package.json", "rapid-client.node/index.js",
        "LICENSE", "NOTICE", "THIRD-PARTY-LICENSES",
        "node_modules/@aws-sdk/client-s3/package.json",
    }  # fmt: skip
    for path in [folder, *folder.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path
    kept = sorted(path.name.rpartition("-")[0] for path in runtimes.iterdir())
    assert kept == ["aws-lambda-ric", "aws-sdk-js-v3"]

    monkeypatch.setenv("PATH", "")
    assert registry.client(runtimes).folder() == folder, "the next emulator needs no npm"


def test_emulators_that_start_together_install_the_client_once(
    registry: Registry, tmp_path: Path
) -> None:
    clients = [registry.client(tmp_path / "runtimes") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda client: client._installed("x", "it", client._make_client), clients))

    assert registry.runs == 1


def test_a_failed_installation_says_what_to_do_and_is_tried_again(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = registry.client(tmp_path / "runtimes")
    monkeypatch.setattr(client, "integrity", "sha512-other")
    with pytest.raises(NodeClientError, match=r"not the locked archive.*registry"):
        client.folder()
    monkeypatch.undo()
    client.integrity = registry.integrity
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NodeClientError, match="`npm` is not installed on this machine; install it"):
        client.folder()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    registry.npm("exit 5")
    with pytest.raises(NodeClientError, match=r"npm cannot fetch \(exit status 5\)"):
        client.folder()
    assert list((tmp_path / "runtimes").iterdir()) == []
    registry.give()
    registry.npm((tmp_path / "bin/npm").read_text().replace("exit\nfi", "exit 6\nfi"))
    with pytest.raises(NodeClientError, match=r"AWS's SDK v3, which npm cannot fetch .*status 6"):
        client.folder()

    registry.give()
    assert (client.folder() / "index.mjs").read_text() == "dist/index.mjs"


def test_the_node_client_goes_elsewhere_where_the_runtimes_are_read_only(
    registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    folder = registry.client(tmp_path / "file/runtimes").folder()

    assert (folder / "index.mjs").is_file()
    assert folder.is_relative_to(tmp_path / "work")


def test_a_node_function_waits_for_the_client_and_names_what_is_missing(tmp_path: Path) -> None:
    """Npm takes its time, and has no network."""
    runtimes, programs = tmp_path / "runtimes", tmp_path / "bin"
    for folder in (runtimes, programs):
        folder.mkdir()
    (runtimes / PYTHON).symlink_to(runtimes_dir() / PYTHON)
    npm = programs / "npm"
    npm.write_text(
        f"#!/bin/sh\nuntil [ -e {tmp_path}/go ]; do sleep 0.05; done\n"
        "echo 'npm error code ENOTFOUND' >&2\nexit 1\n"
    )
    npm.chmod(0o755)
    stack = start_stack(
        tmp_path / "state",
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
        LAMBDA_PROCESS_PYTHON_RUNTIMES=str(runtimes),
    )
    try:
        code: dict[str, str | bytes] = {"app.js": NODE}
        name = stack.create(code, runtime="nodejs20.x", wait=False)
        python = stack.create("def handler(event, context): return 1")
        assert stack.invoke(python).value == 1, "others do not wait"
        client = stack.client("lambda")

        def state() -> tuple[str, str]:
            found = client.get_function_configuration(FunctionName=name)
            return found["State"], found.get("StateReason", "")

        assert state()[0] == "Pending"
        (tmp_path / "go").touch()
        eventually(lambda: state()[0] == "Failed")
        assert re.search(
            r"runtime nodejs20\.x needs aws-lambda-ric@\S+, which npm cannot fetch \(ENOTFOUND\);"
            r" see that `npm view aws-lambda-ric@\S+` works for the emulator's user, then start"
            r" the emulator again",
            state()[1],
        )

        NodeClient(runtimes_dir(), tmp_path / "work").folder()
        for pattern in ("aws-lambda-ric-*", "aws-sdk-js-v3-*"):
            for folder in runtimes_dir().glob(pattern):
                shutil.copytree(folder, runtimes / folder.name, symlinks=True)
        assert stack.invoke(stack.create(code, runtime="nodejs20.x"), {}).value["calls"] == 1
        assert "Traceback" not in stack.log
    finally:
        stack.stop()


def test_the_engine_works_without_its_package_for_node(tmp_path: Path) -> None:
    """Few need Node.js: its folder can be left out."""
    shutil.copytree(
        Path(trigger_stack_engine.__file__).parent,
        tmp_path / "path/trigger_stack_engine",
        ignore=lambda folder, _: ["node"] if folder.endswith("/environments") else [],
    )
    stack = start_stack(tmp_path / "state", PYTHONPATH=str(tmp_path / "path"))
    try:
        python = stack.create("def handler(event, context): return 1")
        assert stack.invoke(python).value == 1
        node = stack.create({"app.js": NODE}, runtime="nodejs20.x", wait=False)
        client = stack.client("lambda")

        def reason() -> str:
            found = client.get_function_configuration(FunctionName=node)
            return found["StateReason"] if found["State"] == "Failed" else ""

        assert eventually(reason).endswith(
            "runtime nodejs20.x cannot run here: this engine was installed without its package for"
            " Node.js, trigger_stack_engine/environments/node/"
        )
        assert "Traceback" not in stack.log
    finally:
        stack.stop()

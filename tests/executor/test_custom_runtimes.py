"""The Runtime API as a custom runtime sees it, over a socket, in a real environment."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import pytest

from tests.executor.lambda_stack import Stack

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

    assert all(line.startswith("HTTP/1.1 4") or line == "" or "Error" in line for line in lines)
    assert lines[1].startswith("HTTP/1.1 400")
    assert stack.invoke(name).error is None


NODE = """
let calls = 0
exports.handler = async (event, context) => {
  console.log('hello\\nworld')
  calls++
  if (event.fail) throw new TypeError('bad')
  return { event, calls, id: context.awsRequestId, left: context.getRemainingTimeInMillis() }
}
exports.callback = (event, context, callback) => setTimeout(() => callback(null, 'later'), 20)
"""


def test_node(stack: Stack) -> None:
    name = stack.create({"app.js": NODE}, runtime="nodejs20.x")

    reply = stack.invoke(name, {"a": 1})
    assert reply.value["event"] == {"a": 1}
    assert reply.value["id"] == reply.request_id
    assert f"\t{reply.request_id}\tINFO\thello\rworld\n" in reply.tail
    failed = stack.invoke(name, {"fail": 1})
    assert failed.error == "Unhandled"
    assert failed.value["errorType"] == "TypeError"
    assert stack.invoke(name, {}).value["calls"] == 3


def test_node_callback_and_missing_handler(stack: Stack) -> None:
    files: dict[str, str | bytes] = {"app.js": NODE}
    assert (
        stack.invoke(stack.create(files, runtime="nodejs20.x", handler="app.callback")).value
        == "later"
    )
    missing = stack.invoke(stack.create(files, runtime="nodejs20.x", handler="app.nothing"))
    assert missing.value["errorType"] == "Runtime.HandlerNotFound"

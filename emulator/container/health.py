"""Health check of the emulator's container: a function is invoked, and its answer compared.

The function is in an account of its own, so that ``list-functions`` does not show it. While the
emulator boots one check waits for it, so that the container is healthy as soon as that is true.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import sys
import time
import zipfile

NAME = "health"
ANSWER = b'"healthy"'
SOURCE = "def handler(event, context):\n    return 'healthy'\n"
WAIT_SECONDS = 25.0
POLL_SECONDS = 0.05
# LocalStack takes account and service from the signature's credential, and checks no signature.
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=000000004857/20260101/us-east-1/{service}/aws4_request, "
    "SignedHeaders=host, Signature=none"
)
FUNCTIONS = "/2015-03-31/functions"


class NotYetError(Exception):
    """The function cannot be invoked; the text says what was seen."""


def call(
    method: str, path: str, body: bytes = b"", *, service: str = "lambda", target: str = ""
) -> tuple[int, bytes]:
    """One request to the AWS API: status and body.

    Raises:
        NotYetError: nothing answers.
    """
    headers = {"Authorization": AUTHORIZATION.format(service=service)}
    if target:
        headers |= {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    port = int(os.environ.get("GATEWAY_PORT") or 4566)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError as error:
        raise NotYetError(f"nothing answers on port {port}: {error}") from error
    finally:
        connection.close()


def create() -> None:
    """Create the function; harmless when it is there."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("handler.py", SOURCE)
    request = {
        "FunctionName": NAME,
        "Runtime": os.environ.get("LAMBDA_PYTHON_RUNTIME") or "python3.13",
        "Handler": "handler.handler",
        "Role": "arn:aws:iam::000000004857:role/health",
        "Code": {"ZipFile": base64.b64encode(archive.getvalue()).decode()},
    }
    status, body = call("POST", FUNCTIONS, json.dumps(request).encode())
    if status not in (201, 409):
        raise NotYetError(f"CreateFunction: {status} {body[:200]!r}")


def wait_until_active() -> None:
    """Create the function unless it is there.

    Raises:
        NotYetError: it cannot be invoked yet.
    """
    status, body = call("GET", f"{FUNCTIONS}/{NAME}")
    if status == 404:
        create()
        raise NotYetError("the function has just been created")
    if status != 200 or json.loads(body)["Configuration"]["State"] != "Active":
        raise NotYetError(f"GetFunction: {status} {body[:200]!r}")


def invoke() -> None:
    """Invoke the function.

    Raises:
        NotYetError: it did not answer what it should.
    """
    status, body = call("POST", f"{FUNCTIONS}/{NAME}/invocations", b"{}")
    if status == 429:  # every environment is busy, so functions run
        return
    if status != 200 or body.strip() != ANSWER:
        raise NotYetError(f"Invoke: {status} {body[:200]!r}")


def check_starts() -> None:
    """Ask whether environments can be started: the function's own may be a warm one.

    Raises:
        NotYetError: They cannot.
    """
    status, body = call("GET", "/_trigger_stack/health")
    if status != 200:
        raise NotYetError(f"functions cannot be started: {body[:200]!r}")


def forget_logs() -> None:
    """Delete what the check has logged, which would only grow."""
    name = json.dumps({"logGroupName": f"/aws/lambda/{NAME}"}).encode()
    call("POST", "/", name, service="logs", target="Logs_20140328.DeleteLogGroup")


def main() -> int:
    """Exit code 0: functions can be invoked."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            wait_until_active()
            invoke()
            check_starts()
            forget_logs()
        except NotYetError as error:
            if time.monotonic() > deadline:
                sys.stderr.write(f"{error}\n")
                return 1
            time.sleep(POLL_SECONDS)
        else:
            return 0


if __name__ == "__main__":
    sys.exit(main())

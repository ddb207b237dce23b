"""Function URLs: who may call one, what the function gets, and what its result becomes."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.engine.lambda_stack import Stack

ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event)}
"""
RESULT = "import json\ndef handler(event, context):\n    return json.loads(event['body'])\n"


def make_url(
    stack: Stack, code: str | dict[str, str | bytes], *, policy: bool = True, **settings: Any
) -> str:
    """A function and its URL, which everybody may call."""
    name = stack.create(code)
    client = stack.client("lambda")
    settings = {"AuthType": "NONE", **settings}
    made = client.create_function_url_config(FunctionName=name, **settings)
    if policy:
        let_everybody(client, name)
    return str(made["FunctionUrl"])


def let_everybody(client: Any, function: str, **more: str) -> None:
    """Add the two statements that AWS asks for."""
    statement = {"FunctionName": function, "Principal": "*", **more}
    client.add_permission(
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        FunctionUrlAuthType="NONE",
        **statement,
    )
    client.add_permission(
        StatementId="function",
        Action="lambda:InvokeFunction",
        InvokedViaFunctionUrl=True,
        **statement,
    )


def test_the_event_is_as_aws_documents_it(stack: Stack) -> None:
    url = make_url(stack, ECHO)

    answer = requests.post(
        f"{url}a%2Fb/c?x=1&x=2&y=%20z",
        data="hello",
        headers={"Content-Type": "text/plain", "Cookie": "a=1; b=2", "X-Mixed": "V"},
        timeout=20,
    )

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    event = answer.json()
    assert (event["version"], event["routeKey"]) == ("2.0", "$default")
    assert (event["rawPath"], event["rawQueryString"]) == ("/a%2Fb/c", "x=1&x=2&y=%20z")
    assert event["queryStringParameters"] == {"x": "1,2", "y": " z"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["body"], event["isBase64Encoded"]) == ("hello", False)
    assert event["headers"]["x-mixed"] == "V"
    assert event["headers"]["x-forwarded-proto"] == "http"
    context = event["requestContext"]
    url_id = urlsplit(url).path.split("/")[2]
    assert (context["apiId"], context["domainPrefix"]) == (url_id, url_id)
    assert (context["accountId"], context["stage"]) == ("anonymous", "$default")
    assert context["http"]["method"] == "POST"
    assert context["http"]["path"] == "/a%2Fb/c"
    assert context["requestId"] == answer.headers["x-amzn-requestid"]
    assert "pathParameters" not in event


def test_without_body_and_query_the_event_has_neither(stack: Stack) -> None:
    event = requests.get(make_url(stack, ECHO), timeout=60).json()

    assert not {"body", "queryStringParameters", "cookies"} & event.keys()
    assert event["rawPath"] == "/"
    assert event["isBase64Encoded"] is False


def test_binary_bodies_are_base64_both_ways(stack: Stack) -> None:
    code = """
def handler(event, context):
    assert event["isBase64Encoded"]
    return {"body": event["body"], "isBase64Encoded": True,
            "headers": {"content-type": "image/png"}}
"""
    answer = requests.post(make_url(stack, code), data=bytes(range(256)), timeout=60)

    assert answer.content == bytes(range(256))
    assert answer.headers["content-type"] == "image/png"


def test_the_host_form_and_the_path_form_are_one_url(stack: Stack) -> None:
    url = make_url(stack, ECHO)
    url_id = urlsplit(url).path.split("/")[2]
    host = f"{url_id.upper()}.lambda-url.us-east-1.localhost:{stack.port}"

    answer = requests.get(
        f"http://127.0.0.1:{stack.port}/some/path", headers={"Host": host}, timeout=20
    )

    assert answer.json()["rawPath"] == "/some/path"


@pytest.mark.parametrize(
    ("result", "status", "content_type", "body"),
    [
        ("text", 200, "application/json", "text"),
        ({"a": 1}, 200, "application/json", '{"a": 1}'),
        ([1], 200, "application/json", "[1]"),
        (None, 200, "application/json", "null"),
        ({"statusCode": 404}, 404, "application/json", ""),
        ({"statusCode": "201", "body": "x"}, 201, "application/json", "x"),
        ({"statusCode": 200, "body": {"a": 1}}, 200, "application/json", '{"a":1}'),
        (
            {"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": "<p>"},
            *(200, "text/html", "<p>"),
        ),
        ({"statusCode": 42}, 502, "application/json", "Internal Server Error"),
        ({"statusCode": 200, "headers": []}, 502, "application/json", "Internal Server Error"),
        (
            {"statusCode": 200, "body": "%", "isBase64Encoded": True},
            *(502, "application/json", "Internal Server Error"),
        ),
    ],
)
def test_results(
    result_url: str, result: object, status: int, content_type: str, body: str
) -> None:
    answer = requests.post(
        result_url, data=json.dumps(result), headers={"Content-Type": "text/plain"}, timeout=20
    )

    assert (answer.status_code, answer.headers["content-type"]) == (status, content_type)
    assert answer.text == body


@pytest.fixture(scope="module")
def result_url(stack: Stack) -> str:
    """Of a function that returns what it is sent."""
    return make_url(stack, RESULT)


def test_cookies_become_headers(result_url: str) -> None:
    result = {"statusCode": 200, "cookies": ["a=1; HttpOnly", "b=2"]}

    answer = requests.post(
        result_url, data=json.dumps(result), headers={"Content-Type": "text/plain"}, timeout=20
    )

    assert answer.raw.headers.getlist("set-cookie") == ["a=1; HttpOnly", "b=2"]


def test_a_function_error_is_502_and_its_log_is_found_by_the_request_id(stack: Stack) -> None:
    name = stack.create("def handler(event, context): raise ValueError('no')")
    client = stack.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    let_everybody(client, name)

    answer = requests.get(url, timeout=60)

    assert (answer.status_code, answer.text) == (502, "Internal Server Error")
    request_id = answer.headers["x-amzn-requestid"]
    assert any(request_id in line for line in stack.messages(name, until="REPORT"))
    starts = [line for line in stack.messages(name, until="REPORT") if line.startswith("START")]
    assert len(starts) == 1, "nobody retries"


def test_a_time_out_is_502(stack: Stack) -> None:
    code = "import time\ndef handler(event, context): time.sleep(30)\n"
    name = stack.create(code, Timeout=1)
    client = stack.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    let_everybody(client, name)

    assert requests.get(url, timeout=60).status_code == 502


def test_a_throttled_function_is_429(stack: Stack) -> None:
    name = stack.create(ECHO)
    client = stack.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    let_everybody(client, name)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    answer = requests.get(url, timeout=60)

    assert answer.status_code == 429
    assert answer.headers["x-amzn-errortype"] == "TooManyRequestsException"


def test_an_event_over_six_megabytes_is_413(stack: Stack) -> None:
    answer = requests.post(make_url(stack, ECHO), data=b"x" * 5_000_000, timeout=60)

    assert answer.status_code == 413, "4/3 of it in Base64"
    assert "6291456" in answer.json()["Message"]


def test_a_url_that_is_not_there_is_403(stack: Stack) -> None:
    url_id = secrets.token_hex(16)

    answer = requests.get(f"http://localhost:{stack.port}/_function-url/{url_id}/", timeout=60)

    assert (answer.status_code, answer.json()) == (403, {"Message": None})


def test_a_url_is_gone_when_it_was_deleted(stack: Stack) -> None:
    name = stack.create(ECHO)
    client = stack.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    client.delete_function_url_config(FunctionName=name)

    assert requests.get(url, timeout=60).status_code == 403


def test_an_alias_has_a_url_of_its_own(stack: Stack) -> None:
    name = stack.create("def handler(event, context): return context.invoked_function_arn")
    client = stack.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    made = client.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")
    let_everybody(client, name, Qualifier="live")

    assert requests.get(made["FunctionUrl"], timeout=60).text.endswith(f":function:{name}:live")


# --- Who may call


def test_without_a_policy_nobody_may_call(stack: Stack) -> None:
    answer = requests.get(make_url(stack, ECHO, policy=False), timeout=60)

    assert answer.status_code == 403
    assert answer.json()["Message"].startswith("Forbidden. For troubleshooting Function URL")


@pytest.mark.parametrize("missing", ["url", "function"])
def test_both_statements_are_needed(stack: Stack, missing: str) -> None:
    name = stack.create(ECHO)
    client = stack.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    let_everybody(client, name)
    assert requests.get(url, timeout=60).status_code == 200

    client.remove_permission(FunctionName=name, StatementId=missing)

    assert requests.get(url, timeout=60).status_code == 403


def test_the_condition_of_the_second_statement_is_kept(stack: Stack) -> None:
    name = stack.create(ECHO)
    client = stack.client("lambda")
    let_everybody(client, name)

    policy = json.loads(client.get_policy(FunctionName=name)["Policy"])

    assert policy["Statement"][1]["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}


def test_the_name_of_a_function_is_an_address(stack: Stack) -> None:
    name = stack.create(ECHO)
    client = stack.client("lambda")
    client.create_function_url_config(FunctionName=name, AuthType="NONE")
    let_everybody(client, name)

    answer = requests.get(f"http://localhost:{stack.port}/_function-url/{name}/x", timeout=60)

    assert answer.json()["rawPath"] == "/x"


def test_a_policy_for_another_authorization_does_not_count(stack: Stack) -> None:
    name = stack.create(ECHO)
    client = stack.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    let_everybody(client, name)
    client.remove_permission(FunctionName=name, StatementId="url")
    client.add_permission(
        FunctionName=name,
        StatementId="signed",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="AWS_IAM",
    )

    assert requests.get(url, timeout=60).status_code == 403


def signed(
    url: str,
    *,
    key: str = "test",
    secret: str = "test",
    method: str = "POST",
    body: bytes = b"hello",
    service: str = "lambda",
    region: str = "us-east-1",
    at: float | None = None,
) -> dict[str, str]:
    """Headers of a request that botocore has signed."""
    request = AWSRequest(method, url, data=body, headers={"Content-Type": "text/plain"})
    auth = SigV4Auth(Credentials(key, secret), service, region)
    if at is None:
        auth.add_auth(request)
    else:
        from datetime import UTC, datetime

        import botocore.auth

        moment = datetime.fromtimestamp(at, UTC)
        original = botocore.auth.get_current_datetime
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: (
            moment.replace(tzinfo=None) if remove_tzinfo else moment
        )
        try:
            auth.add_auth(request)
        finally:
            botocore.auth.get_current_datetime = original
    return dict(request.headers.items())


def post(url: str, headers: dict[str, str], body: bytes = b"hello") -> requests.Response:
    return requests.post(url, data=body, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def iam_url(stack: Stack) -> str:
    return make_url(stack, ECHO, policy=False, AuthType="AWS_IAM")


def test_a_signed_request_is_answered_and_its_signer_named(iam_url: str) -> None:
    url = f"{iam_url}a%2Fb/%C3%BC?x=1&b=%20&a="
    answer = post(url, signed(url))

    assert answer.status_code == 200, answer.text
    event = answer.json()
    iam = event["requestContext"]["authorizer"]["iam"]
    assert (iam["accessKey"], iam["accountId"]) == ("test", "000000000000")
    assert event["requestContext"]["accountId"] == "000000000000"
    assert "authorization" not in event["headers"], "a signature is not handed on"


def test_a_key_of_iam_signs_with_its_own_secret(stack: Stack, iam_url: str) -> None:
    iam = stack.client("iam")
    user = iam.create_user(UserName=f"u-{secrets.token_hex(6)}")["User"]
    made = iam.create_access_key(UserName=user["UserName"])["AccessKey"]
    key, secret = made["AccessKeyId"], made["SecretAccessKey"]

    answer = post(iam_url, signed(iam_url, key=key, secret=secret))

    assert answer.status_code == 200, answer.text
    assert answer.json()["requestContext"]["authorizer"]["iam"]["userArn"] == user["Arn"]
    assert post(iam_url, signed(iam_url, key=key, secret="test")).status_code == 403


MISMATCH = "The request signature we calculated does not match the signature you provided."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"secret": "wrong"}, MISMATCH),
        ({"service": "execute-api"}, "Credential should be scoped to correct service: 'lambda'. "),
        ({"region": "eu-west-1"}, "Credential should be scoped to a valid region. "),
        ({"method": "GET"}, MISMATCH),
        ({"body": b"other"}, MISMATCH),
        ({"at": time.time() - 3600}, "Signature expired: "),
        ({"at": time.time() + 3600}, "Signature not yet current: "),
    ],
    ids=["secret", "service", "region", "method", "body", "expired", "from the future"],
)
def test_what_is_signed_otherwise_is_forbidden(
    iam_url: str, change: dict[str, Any], reason: str
) -> None:
    answer = post(iam_url, signed(iam_url, **change))

    assert answer.status_code == 403
    assert answer.json()["message"].startswith(reason)
    assert answer.headers["x-amzn-errortype"] == "InvalidSignatureException"


def test_an_unsigned_body_is_forbidden(iam_url: str) -> None:
    """Signed URLs of S3 may have one, Lambda takes none."""
    request = AWSRequest("POST", iam_url, data=b"hello", headers={"Content-Type": "text/plain"})
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    SigV4Auth(Credentials("test", "test"), "lambda", "us-east-1").add_auth(request)

    answer = post(iam_url, dict(request.headers))

    assert answer.status_code == 403
    assert answer.json()["message"].startswith(MISMATCH)


def test_a_signature_is_for_its_path_and_query_only(iam_url: str) -> None:
    headers = signed(f"{iam_url}one?a=1")

    assert post(f"{iam_url}one?a=1", headers).status_code == 200
    assert post(f"{iam_url}two?a=1", headers).status_code == 403
    assert post(f"{iam_url}one?a=2", headers).status_code == 403


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer token",
        "AWS4-HMAC-SHA256 Credential=test",
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request,"
        f" SignedHeaders=host, Signature={'0' * 64}",
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request,"
        f" SignedHeaders=x-amz-date, Signature={'0' * 64}",
    ],
)
def test_what_is_not_signed_is_forbidden(iam_url: str, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}

    answer = post(iam_url, headers)

    assert answer.status_code == 403
    if authorization is None or "Signature" not in authorization:
        assert answer.json()["Message"].startswith("Forbidden. For troubleshooting Function URL")


# --- CORS

CORS = {
    "AllowOrigins": ["https://app.example"],
    "AllowMethods": ["POST"],
    "AllowHeaders": ["content-type"],
    "ExposeHeaders": ["x-id"],
    "AllowCredentials": True,
    "MaxAge": 60,
}


def test_a_preflight_is_answered_without_the_function(stack: Stack) -> None:
    url = make_url(stack, "def handler(event, context): raise ValueError", Cors=CORS)
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}

    answer = requests.options(url, headers=asked, timeout=20)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-max-age"] == "60"


def test_an_answer_has_the_cors_headers_of_the_url(stack: Stack) -> None:
    code = """
def handler(event, context):
    return {"statusCode": 200, "headers": {"access-control-allow-origin": "*"}}
"""
    url = make_url(stack, code, Cors=CORS)

    answer = requests.post(url, headers={"Origin": "https://app.example"}, timeout=60)

    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-expose-headers"] == "x-id"
    other = requests.post(url, headers={"Origin": "https://evil.example"}, timeout=60)
    assert other.status_code == 403


def test_without_cors_options_is_the_functions(stack: Stack) -> None:
    event = requests.options(make_url(stack, ECHO), timeout=20).json()

    assert event["requestContext"]["http"]["method"] == "OPTIONS"


def test_an_update_holds_at_once(stack: Stack) -> None:
    name = stack.create(ECHO)
    client = stack.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    let_everybody(client, name)
    assert requests.get(url, timeout=60).status_code == 200

    client.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")

    assert requests.get(url, timeout=60).status_code == 403
    assert post(url, signed(url)).status_code == 200


# --- Streamed responses: the engine's own port sends each part when it is written


STREAM = """
const later = ms => new Promise(resolve => setTimeout(resolve, ms))
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const wanted = event.queryStringParameters ?? {}
  if (wanted.head) {
    const head = { statusCode: 201, headers: { 'x-a': '1' }, cookies: ['c=1'] }
    stream = awslambda.HttpResponseStream.from(stream, head)
  }
  if (wanted.early) throw new TypeError('early')
  if (wanted.type) stream.setContentType(wanted.type)
  if (wanted.nuls) stream.write(Buffer.concat([Buffer.from('{}'), Buffer.alloc(9)]))
  stream.write('one')
  await later(Number(wanted.wait ?? 0))
  if (wanted.fail) throw new TypeError('middle')
  for (let i = 0; i < Number(wanted.megabytes ?? 0); i++) {
    if (!stream.write(Buffer.alloc(1 << 20, 'a')))
      await new Promise(resolve => stream.once('drain', resolve))
  }
  stream.write('two')
  stream.end()
})
"""


@pytest.fixture(scope="module")
def stream_url(stack: Stack) -> str:
    name = stack.create({"app.js": STREAM}, runtime="nodejs20.x", Timeout=120)
    client = stack.client("lambda")
    made = client.create_function_url_config(
        FunctionName=name, AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )
    let_everybody(client, name)
    return str(made["FunctionUrl"])


def test_a_streamed_response_has_its_head(stream_url: str) -> None:
    answer = requests.get(f"{stream_url}?head=1", timeout=60)

    assert (answer.status_code, answer.text) == (201, "onetwo")
    assert (answer.headers["x-a"], answer.headers["set-cookie"]) == ("1", "c=1")
    assert answer.headers["transfer-encoding"] == "chunked"


def test_a_part_comes_when_it_is_written(stream_url: str) -> None:
    """The function waits for longer than the client that wants only the first part."""
    with requests.get(f"{stream_url}?head=1&wait=100000", stream=True, timeout=60) as answer:
        parts = answer.iter_content(None)
        assert next(parts) == b"one"


def test_a_streamed_response_without_a_head(stream_url: str) -> None:
    answer = requests.get(stream_url, timeout=60)

    assert (answer.status_code, answer.text) == (200, "onetwo")
    assert answer.headers["content-type"] == "application/octet-stream"


def test_a_stream_without_a_head_has_the_type_that_it_is_given(stream_url: str) -> None:
    answer = requests.get(f"{stream_url}?type=text/plain", timeout=60)

    assert (answer.text, answer.headers["content-type"]) == ("onetwo", "text/plain")


def test_nuls_in_a_stream_without_a_head_are_its_body(stream_url: str) -> None:
    """A picture or an archive has more than eight of them in a row."""
    answer = requests.get(f"{stream_url}?nuls=1", timeout=60)

    assert (answer.status_code, answer.content) == (200, b"{}" + bytes(9) + b"onetwo")
    with_head = requests.get(f"{stream_url}?nuls=1&head=1", timeout=60)
    assert (with_head.status_code, with_head.content) == (201, b"{}" + bytes(9) + b"onetwo")


def test_an_error_before_the_first_part_is_502(stream_url: str) -> None:
    assert requests.get(f"{stream_url}?early=1", timeout=60).status_code == 502


def test_an_error_in_the_middle_breaks_the_response_off(stream_url: str) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(f"{stream_url}?head=1&fail=1", timeout=60)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_one_that_is_not_streamed_on_breaks_off_too(stream_url: str, version: str) -> None:
    """A client of HTTP/1.0 and a HEAD request get no chunks."""
    url = urlsplit(stream_url)
    method = "GET" if version == "HTTP/1.0" else "HEAD"
    head = f"{method} {url.path}?head=1&fail=1 {version}\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", url.port or 80), timeout=20) as connection:
        connection.sendall(head.encode())
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1000) == b""


def test_a_streamed_response_may_be_larger_than_six_megabytes(stream_url: str) -> None:
    answer = requests.get(f"{stream_url}?megabytes=16", timeout=60)

    assert len(answer.content) == 16 * (1 << 20) + len("onetwo")


def test_a_client_that_goes_away_disturbs_nobody(stream_url: str) -> None:
    with requests.get(f"{stream_url}?head=1&wait=300&megabytes=4", stream=True, timeout=60):
        pass

    assert requests.get(stream_url, timeout=60).text == "onetwo"


def test_on_the_port_of_the_aws_api_it_comes_whole(stack: Stack, stream_url: str) -> None:
    url = urlsplit(stream_url)._replace(netloc=f"localhost:{stack.port}").geturl()

    assert requests.get(f"{url}?head=1", timeout=60).text == "onetwo"


def test_a_function_that_does_not_stream_is_answered_whole(stack: Stack) -> None:
    url = make_url(stack, "def handler(event, context): return 'all'", InvokeMode="RESPONSE_STREAM")

    assert requests.get(url, timeout=60).text == '"all"'

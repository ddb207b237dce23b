"""Distributions that serve: cache, origins and functions at the edge, through one emulator."""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import botocore.exceptions
import pytest
import requests

from tests.engine.lambda_stack import Stack, engine, kill, start_stack
from tests.engine.test_function_url import STREAM, let_everybody
from tests.support.ports import free_port
from tests.support.waiting import eventually

# One emulator for all of them, not one in each worker.
pytestmark = pytest.mark.xdist_group("cloudfront")

OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
SIMPLE_CORS = "60669652-455b-4ae9-85a4-c4c02393f86c"
EVERY_METHOD = ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE")
#: A function at the edge that does what the path says, at every point.
EDGE = """
import base64, time

def handler(event, context):
    cf = event["Records"][0]["cf"]
    point, request, response = cf["config"]["eventType"], cf["request"], cf.get("response")
    subject = response if response is not None else request
    headers, uri = subject["headers"], request["uri"]
    print(f"at {point} {uri}")
    if f"/{point}-fails" in uri:
        raise ValueError("on purpose")
    if f"/{point}-sleeps" in uri:
        time.sleep(60)
    if f"/{point}-nothing" in uri:
        return None
    if f"/{point}-forbidden" in uri:
        headers["x-edge-mine"] = [{"value": "x"}]
    if f"/{point}-read-only" in uri:
        headers["via"] = [{"value": "me"}]
    if f"/{point}-made" in uri:
        return {"status": 203, "statusDescription": "Made",
                "headers": {"cache-control": [{"key": "Cache-Control", "value": "max-age=60"}]},
                "body": base64.b64encode(point.encode()).decode(), "bodyEncoding": "base64"}
    if f"/{point}-large" in uri:
        return {"status": "200", "body": "x" * (41 * 1024)}
    if f"/{point}-status" in uri:
        response["status"] = "418"
    if f"/{point}-body" in uri:
        got = base64.b64decode(request["body"]["data"]).decode()
        data = f"{got}/{request['body']['inputTruncated']}/{point}"
        request["body"] = {"action": "replace", "encoding": "text", "data": data}
    if f"/{point}-rewrites" in uri:
        request["uri"] = "/rewritten"
        request["querystring"] = "by=" + point
    if f"/{point}-origin" in uri and "origin" in request:
        request["origin"]["custom"]["path"] = "/elsewhere"
        request["origin"]["custom"]["customHeaders"]["x-chosen"] = [{"value": point}]
    headers[f"x-{point}"] = [{"key": f"X-{point.title()}", "value": uri}]
    return subject
"""


def counted(*listed: Any) -> dict[str, Any]:
    return {"Quantity": len(listed), "Items": list(listed)}


class Server:
    """A server of this machine as an origin; it answers as the path says, and remembers."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.repeated: list[str] = []
        self.answers: dict[str, Callable[[dict[str, str]], tuple[int, dict[str, str], bytes]]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.seen.append((self.command, self.path, headers, body))
                outer.repeated = self.headers.get_all("X-Twice") or []
                path = self.path.partition("?")[0]
                make = outer.answers.get(path, lambda _: (200, {}, f"{self.path}".encode()))
                status, more, content = make(headers)
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                if status != 304 and not more.keys() & {"Content-Length", "Transfer-Encoding"}:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD" and status != 304:
                    self.wfile.write(content)

            do_GET = do_HEAD = do_OPTIONS = do_PUT = do_PATCH = do_POST = do_DELETE = answer  # noqa: N815  the names of http.server

            def log_message(self, *arguments: Any) -> None:
                """Nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        self.port = self.http.server_port

    def paths(self, begin: str) -> list[str]:
        return [path for _, path, _, _ in self.seen if path.startswith(begin)]

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = start_stack(
        tmp_path_factory.mktemp("cloudfront") / "state",
        SERVICES="cloudfront,lambda,logs,s3,sts,iam,cloudwatch,apigatewayv2,elbv2,ec2,events",
    )
    try:
        yield running
        assert "Traceback (most recent call last)" not in running.log, running.log
    finally:
        running.stop()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


class Cdn:
    """One distribution."""

    def __init__(self, stack: Stack, config: dict[str, Any]) -> None:
        self.stack = stack
        self.cloudfront = stack.client("cloudfront")
        made = self.cloudfront.create_distribution(
            DistributionConfig={
                "CallerReference": secrets.token_hex(8),
                "Comment": "test",
                "Enabled": True,
                **config,
            }
        )["Distribution"]
        self.id, self.arn, self.domain = made["Id"], made["ARN"], made["DomainName"]
        listed = requests.get(
            f"http://127.0.0.1:{stack.port}/_trigger_stack/distributions", timeout=10
        ).json()
        (address,) = [one["address"] for one in listed if one["id"] == self.id]
        self.url = address.replace("localhost", "127.0.0.1")

    def __call__(self, path: str, method: str = "GET", **options: Any) -> requests.Response:
        options = {"timeout": 30, "allow_redirects": False, **options}
        return requests.request(method, f"{self.url}{path}", **options)

    def cache(self, path: str, **options: Any) -> str:
        """What ``X-Cache`` says."""
        said = self(path, **options).headers["x-cache"]
        return said.removesuffix(" from cloudfront")

    def invalidate(self, *paths: str) -> None:
        made = self.cloudfront.create_invalidation(
            DistributionId=self.id,
            InvalidationBatch={"CallerReference": secrets.token_hex(8), "Paths": counted(*paths)},
        )["Invalidation"]
        assert made["Status"] == "Completed"

    def close(self) -> None:
        known = self.cloudfront.get_distribution_config(Id=self.id)
        disabled = {**known["DistributionConfig"], "Enabled": False}
        changed = self.cloudfront.update_distribution(
            Id=self.id, IfMatch=known["ETag"], DistributionConfig=disabled
        )
        self.cloudfront.delete_distribution(Id=self.id, IfMatch=changed["ETag"])


def behavior(target: str = "o", **more: Any) -> dict[str, Any]:
    policy = {} if "ForwardedValues" in more else {"CachePolicyId": OPTIMIZED}
    return {
        "TargetOriginId": target,
        "ViewerProtocolPolicy": "allow-all",
        **policy,
        **more,
    }


def every_method(cached: tuple[str, ...] = ("GET", "HEAD")) -> dict[str, Any]:
    return {**counted(*EVERY_METHOD), "CachedMethods": counted(*cached)}


def custom(domain: str, name: str = "o", port: int = 80, **more: Any) -> dict[str, Any]:
    server = {"HTTPPort": port, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    return {"Id": name, "DomainName": domain, "CustomOriginConfig": server | more}


@pytest.fixture
def make(stack: Stack) -> Iterator[Callable[..., Cdn]]:
    made: list[Cdn] = []

    def build(*origins: dict[str, Any], default: dict[str, Any] | None = None, **more: Any) -> Cdn:
        config = {
            "Origins": counted(*origins),
            "DefaultCacheBehavior": default or behavior(),
            **more,
        }
        made.append(Cdn(stack, config))
        return made[-1]

    yield build
    for one in made:
        one.close()


@contextmanager
def moved_clock(stack: Stack, seconds: float) -> Iterator[None]:
    """``make clock``: the stack's time is ahead."""
    url = f"http://127.0.0.1:{stack.port}/_trigger_stack/clock"
    at = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    requests.post(url, json={"at": at}, timeout=30).raise_for_status()
    try:
        yield
    finally:
        requests.post(url, json={"at": "real"}, timeout=30).raise_for_status()


# --- Buckets


def new_bucket(stack: Stack, **objects: bytes) -> str:
    name, s3 = f"cdn-{secrets.token_hex(6)}", stack.client("s3")
    s3.create_bucket(Bucket=name)
    for key, body in objects.items():
        s3.put_object(Bucket=name, Key=key, Body=body, ContentType="text/plain")
    return name


def let_read(stack: Stack, bucket: str, cdn: Cdn, *, may_list: bool = False) -> None:
    about = [f"arn:aws:s3:::{bucket}/*", *([f"arn:aws:s3:::{bucket}"] if may_list else [])]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": ["s3:GetObject", *(["s3:ListBucket"] if may_list else [])],
        "Resource": about,
        "Condition": {"StringEquals": {"aws:SourceArn": cdn.arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    stack.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)


def bucket_origin(stack: Stack, bucket: str) -> dict[str, Any]:
    control = stack.client("cloudfront").create_origin_access_control(
        OriginAccessControlConfig={
            "Name": secrets.token_hex(6),
            "OriginAccessControlOriginType": "s3",
            "SigningBehavior": "always",
            "SigningProtocol": "sigv4",
        }
    )["OriginAccessControl"]["Id"]
    return {
        "Id": "o",
        "DomainName": f"{bucket}.s3.us-east-1.amazonaws.com",
        "OriginAccessControlId": control,
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }


def test_a_bucket_must_let_the_distribution_read(stack: Stack, make: Callable[..., Cdn]) -> None:
    bucket = new_bucket(stack, **{"a b.txt": b"hello"})
    cdn = make(bucket_origin(stack, bucket))

    refused = cdn("/a%20b.txt")
    let_read(stack, bucket, cdn)
    found, missing = cdn("/a%20b.txt"), cdn("/none")
    let_read(stack, bucket, cdn, may_list=True)
    listed = cdn("/other")

    assert (refused.status_code, refused.headers["x-cache"]) == (403, "Error from cloudfront")
    assert "AccessDenied" in refused.text
    assert (found.status_code, found.text) == (200, "hello")
    assert (missing.status_code, listed.status_code) == (403, 404)


def test_the_headers_of_an_object_are_as_they_were_stored(
    stack: Stack, make: Callable[..., Cdn]
) -> None:
    """A name of a file in UTF-8 is not UTF-8 of UTF-8 then."""
    bucket, name = new_bucket(stack), 'attachment; filename="Ü.txt"'
    stack.client("s3").put_object(Bucket=bucket, Key="a", Body=b"x", ContentDisposition=name)
    cdn = make(bucket_origin(stack, bucket))
    let_read(stack, bucket, cdn)

    for _ in range(2):  # from the bucket, and from the cache
        answer = cdn("/a")
        assert answer.headers["content-disposition"].encode("latin-1").decode() == name


def test_an_object_is_kept_until_it_is_invalidated(stack: Stack, make: Callable[..., Cdn]) -> None:
    bucket = new_bucket(stack, **{"logos/a": b"old", "logos/b": b"b"})
    cdn = make(bucket_origin(stack, bucket))
    let_read(stack, bucket, cdn)

    first = cdn("/logos/a")
    assert "age" not in first.headers
    assert [cdn.cache("/logos/a"), cdn.cache("/logos/b"), cdn.cache("/logos/b")] == [
        *("Hit", "Miss", "Hit"),
    ]
    stack.client("s3").put_object(Bucket=bucket, Key="logos/a", Body=b"new")
    assert cdn("/logos/a").text == "old"
    cdn.invalidate("/logos/a*")

    assert (cdn("/logos/a").text, cdn.cache("/logos/b")) == ("new", "Hit")
    cdn.invalidate("/*")
    assert cdn.cache("/logos/b") == "Miss"


def test_parts_conditions_and_head(stack: Stack, make: Callable[..., Cdn]) -> None:
    bucket = new_bucket(stack, digits=b"0123456789")
    cdn = make(bucket_origin(stack, bucket))
    let_read(stack, bucket, cdn)
    whole = cdn("/digits")

    def part(value: str, **more: str) -> tuple[int, str, str | None]:
        answer = cdn("/digits", headers={"Range": value, **more})
        return answer.status_code, answer.text, answer.headers.get("content-range")

    assert part("bytes=2-4") == (206, "234", "bytes 2-4/10")
    assert part("bytes=-2") == (206, "89", "bytes 8-9/10")
    assert part("bytes=20-") == (416, "", "bytes */10")
    assert part("bytes=0-1,3-4")[0] == 200
    assert part("bytes=0-1", **{"If-Range": '"other"'})[0] == 200
    same = cdn("/digits", headers={"If-None-Match": whole.headers["etag"]})
    since = cdn("/digits", headers={"If-Modified-Since": whole.headers["last-modified"]})
    assert (same.status_code, since.status_code) == (304, 304)
    head = cdn("/digits", "HEAD")
    assert (head.headers["content-length"], head.headers["x-cache"]) == (
        *("10", "Hit from cloudfront"),
    )


def test_text_is_compressed_for_who_takes_it(stack: Stack, make: Callable[..., Cdn]) -> None:
    bucket = new_bucket(stack, page=b"word " * 1000)
    cdn = make(bucket_origin(stack, bucket), default=behavior(Compress=True))
    let_read(stack, bucket, cdn)

    small = cdn("/page", headers={"Accept-Encoding": "gzip"})
    plain = cdn("/page", headers={"Accept-Encoding": "identity"})

    assert small.headers["content-encoding"] == "gzip"
    assert int(small.headers["content-length"]) < 500
    assert small.headers["etag"] == f"W/{plain.headers['etag']}"
    assert small.text == plain.text
    assert "content-encoding" not in plain.headers


def test_a_website_of_a_bucket(stack: Stack, make: Callable[..., Cdn]) -> None:
    bucket, s3 = new_bucket(stack, **{"index.html": b"home"}), stack.client("s3")
    configuration = {"IndexDocument": {"Suffix": "index.html"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=configuration)
    cdn = make(custom(f"{bucket}.s3-website-us-east-1.amazonaws.com"))

    refused = cdn("/")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    found, missing = cdn("/"), cdn("/none")

    assert (refused.status_code, found.text, missing.status_code) == (403, "home", 404)


def test_an_object_that_is_too_large_is_refused(stack: Stack, make: Callable[..., Cdn]) -> None:
    bucket = new_bucket(stack, large=b"x" * (49 * 1024 * 1024), small=b"y")
    cdn = make(bucket_origin(stack, bucket))
    let_read(stack, bucket, cdn)

    large = cdn("/large")
    assert (large.status_code, "48 MB" in large.text) == (502, True), large.text
    assert cdn("/small").text == "y", "the engine is still there"


def test_the_root_has_an_object_and_errors_have_a_page(
    stack: Stack, make: Callable[..., Cdn]
) -> None:
    bucket = new_bucket(stack, **{"index.html": b"home", "missing.html": b"not here"})
    page = {"ErrorCode": 403, "ResponsePagePath": "/missing.html", "ResponseCode": "404"}
    cdn = make(
        bucket_origin(stack, bucket),
        DefaultRootObject="index.html",
        CustomErrorResponses=counted({**page, "ErrorCachingMinTTL": 0}),
    )
    let_read(stack, bucket, cdn)

    assert cdn("/").text == "home"
    missing = cdn("/none")
    assert (missing.status_code, missing.text) == (404, "not here")
    assert missing.headers["x-cache"] == "Error from cloudfront"


# --- Servers of this machine


def test_what_the_origin_gets(make: Callable[..., Cdn], server: Server) -> None:
    origin = {
        **custom("localhost", port=server.port),
        "OriginPath": "/base",
        "CustomHeaders": counted({"HeaderName": "X-From", "HeaderValue": "cdn"}),
    }
    cdn = make(origin)
    cdn(
        "/a?x=1",
        headers={"Accept": "text/x", "Cookie": "a=1", "X-From": "me", "User-Agent": "agent"},
    )

    ((method, path, headers, _),) = server.seen
    assert (method, path) == ("GET", "/base/a"), "query strings are not part of this policy"
    assert headers["host"] == "localhost"
    assert (headers["user-agent"], headers["x-from"]) == ("Amazon CloudFront", "cdn")
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert cdn.domain in headers["via"]
    assert "x-amz-cf-id" in headers
    assert not headers.keys() & {"cookie", "accept"}


def test_everything_goes_through_when_nothing_is_kept(
    make: Callable[..., Cdn], server: Server
) -> None:
    default = behavior(
        CachePolicyId=DISABLED, OriginRequestPolicyId=ALL_VIEWER, AllowedMethods=every_method()
    )
    cdn = make(custom(f"localhost:{server.port}"), default=default)
    headers = {"Cookie": "a=1; b=2", "Authorization": "me", "Content-Type": "a/b"}
    answer = cdn("/x%2Fy?b=2&a=1", "POST", data=b"\x00\xff", headers=headers)

    method, path, got, body = server.seen[-1]
    assert (method, path, body) == ("POST", "/x%2Fy?b=2&a=1", b"\x00\xff")
    assert (got["cookie"], got["authorization"], got["content-type"]) == ("a=1; b=2", "me", "a/b")
    assert got["host"].startswith("127.0.0.1:"), "AllViewer hands on the viewer's Host"
    assert answer.headers["x-cache"] == "Miss from cloudfront"
    assert cdn.cache("/same") == cdn.cache("/same") == "Miss"


def test_the_key_has_what_the_behavior_says(make: Callable[..., Cdn], server: Server) -> None:
    values = {
        "QueryString": True,
        "QueryStringCacheKeys": counted("size"),
        "Cookies": {"Forward": "whitelist", "WhitelistedNames": counted("lang")},
        "Headers": counted("X-Kind"),
    }
    default = behavior(ForwardedValues=values, MinTTL=0, DefaultTTL=60, MaxTTL=60)
    cdn = make(custom("localhost", port=server.port), default=default)

    assert cdn.cache("/a?size=1&other=1") == "Miss"
    assert cdn.cache("/a?other=2&size=1") == "Hit"
    assert cdn.cache("/a?size=2") == "Miss"
    assert cdn.cache("/a?size=1", headers={"Cookie": "session=1"}) == "Hit"
    assert cdn.cache("/a?size=1", headers={"Cookie": "session=1; lang=de"}) == "Miss"
    assert cdn.cache("/a?size=1", headers={"X-Kind": "b"}) == "Miss"
    assert server.seen[0][1] == "/a?size=1&other=1", "the origin gets every query string"


def test_an_error_whose_page_is_not_there_is_the_error_of_the_page(
    make: Callable[..., Cdn], server: Server
) -> None:
    server.answers["/fails"] = lambda _: (500, {}, b"broken")
    server.answers["/page"] = lambda _: (404, {}, b"no page")
    page = {"ErrorCode": 500, "ResponsePagePath": "/page", "ResponseCode": "200"}
    cdn = make(custom("localhost", port=server.port), CustomErrorResponses=counted(page))

    answer = cdn("/fails")

    assert (answer.status_code, answer.text) == (404, "no page")
    assert answer.headers["x-cache"] == "Error from cloudfront"


def test_what_an_origin_sets_is_not_sent_for_the_next_viewer(
    make: Callable[..., Cdn], server: Server
) -> None:
    """Each viewer has cookies of its own; requests to origins share connections."""
    server.answers["/login"] = lambda _: (200, {"Set-Cookie": "session=1; Path=/"}, b"in")
    default = behavior(CachePolicyId=DISABLED, OriginRequestPolicyId=ALL_BUT_HOST)
    cdn = make(custom("localhost", port=server.port), default=default)

    answer = cdn("/login")
    cdn("/page")
    cdn("/page", headers={"Cookie": "own=1"})

    assert answer.headers["set-cookie"] == "session=1; Path=/"
    assert [headers.get("cookie") for _, _, headers, _ in server.seen] == [None, None, "own=1"]


def test_a_behavior_without_cookies_hands_none_on_in_either_direction(
    make: Callable[..., Cdn], server: Server
) -> None:
    server.answers["/login"] = lambda _: (200, {"Set-Cookie": "session=1"}, b"in")
    server.answers["/fails"] = lambda _: (403, {"Set-Cookie": "session=1"}, b"no")
    origin = custom("localhost", port=server.port)
    kept = make(origin)
    fetched = make(origin, default=behavior(CachePolicyId=DISABLED))

    for cdn in (kept, fetched):
        for path in ("/login", "/login", "/fails"):
            assert "set-cookie" not in cdn(path, headers={"Cookie": "a=1"}).headers
    assert all("cookie" not in headers for _, _, headers, _ in server.seen)


def test_cookies_are_kept_with_an_object_unless_the_origin_forbids_it(
    make: Callable[..., Cdn], server: Server
) -> None:
    set_cookie = {"Set-Cookie": "session=1"}
    alone = {"Cache-Control": 'max-age=60, no-cache="Set-Cookie"', **set_cookie}
    server.answers["/with"] = lambda _: (200, set_cookie, b"x")
    server.answers["/alone"] = lambda _: (200, alone, b"x")
    values = {"QueryString": False, "Cookies": {"Forward": "all"}}
    default = behavior(ForwardedValues=values, MinTTL=0, DefaultTTL=60, MaxTTL=60)
    cdn = make(custom("localhost", port=server.port), default=default)

    both = [cdn("/with") for _ in range(2)]
    first, second = cdn("/alone"), cdn("/alone")

    assert [answer.headers["set-cookie"] for answer in both] == ["session=1"] * 2
    assert both[1].headers["x-cache"] == "Hit from cloudfront"
    assert first.headers["set-cookie"] == "session=1"
    assert second.headers["x-cache"] == "Hit from cloudfront"
    assert "set-cookie" not in second.headers


@pytest.mark.parametrize(
    ("framing", "content"),
    [
        ({"Content-Length": "10"}, b"abc"),
        ({"Transfer-Encoding": "chunked"}, b"3\r\nabc\r\n"),
        ({"Transfer-Encoding": "chunked"}, b"5\r\nabc"),
        ({"Transfer-Encoding": "chunked"}, b"no number\r\n"),
    ],
    ids=["length", "no last chunk", "half a chunk", "no chunk"],
)
def test_an_object_that_breaks_off_does_so_for_the_viewer_and_is_not_kept(
    make: Callable[..., Cdn], server: Server, framing: dict[str, str], content: bytes
) -> None:
    cut = {**framing, "Connection": "close"}
    server.answers["/a"] = lambda _: (200, cut, content)
    cdn = make(custom("localhost", port=server.port))

    for method in ("GET", "HEAD"):
        with pytest.raises((ConnectionError, requests.RequestException)):
            cdn("/a", method)
    server.answers["/a"] = lambda _: (200, {}, b"whole")
    assert (cdn("/a").text, cdn.cache("/a")) == ("whole", "Hit")


@pytest.mark.parametrize("location", ["/elsewhere", "ftp://x"])
def test_a_redirect_of_an_origin_is_the_viewers(
    make: Callable[..., Cdn], server: Server, location: str
) -> None:
    server.answers["/a"] = lambda _: (302, {"Location": location}, b"it has moved")

    answer = make(custom("localhost", port=server.port))("/a")

    assert (answer.status_code, answer.headers["location"]) == (302, location)
    assert answer.text == "it has moved"


def test_headers_come_as_often_and_as_they_were_sent(
    make: Callable[..., Cdn], server: Server
) -> None:
    """Text in UTF-8, which servers send, is not UTF-8 of UTF-8 then."""
    name = 'attachment; filename="Ü.png"'.encode()
    server.answers["/a"] = lambda _: (200, {"Content-Disposition": name.decode("latin-1")}, b"x")
    default = behavior(
        CachePolicyId=DISABLED, OriginRequestPolicyId=ALL_BUT_HOST, AllowedMethods=every_method()
    )
    cdn = make(custom("localhost", port=server.port), default=default)

    connection = http.client.HTTPConnection(cdn.url.removeprefix("http://").rstrip("/"), timeout=20)
    connection.putrequest("GET", "/a", skip_accept_encoding=True)
    for twice in ("one", "two"):
        connection.putheader("X-Twice", twice)
    connection.endheaders()
    answer = connection.getresponse()

    assert answer.headers["content-disposition"].encode("latin-1") == name
    assert server.repeated == ["one", "two"]
    assert "accept-encoding" not in server.seen[-1][2]


def test_behaviors_are_tried_in_order(make: Callable[..., Cdn], server: Server) -> None:
    cdn = make(
        custom("localhost", port=server.port),
        CacheBehaviors=counted(
            behavior(PathPattern="images/??.png", ViewerProtocolPolicy="https-only"),
            behavior(PathPattern="/images/*", ViewerProtocolPolicy="redirect-to-https"),
        ),
    )
    plain = {"X-Forwarded-Proto": "http"}

    assert cdn("/images/ab.png", headers=plain).status_code == 403
    led = cdn("/images/abc.png?a=1", headers={**plain, "Host": cdn.domain})
    assert (led.status_code, led.headers["location"]) == (
        *(301, f"https://{cdn.domain}/images/abc.png?a=1"),
    )
    assert led.headers["x-cache"] == "Redirect from cloudfront"
    assert cdn("/Images/ab.png", headers=plain).status_code == 200
    assert cdn("/images/ab.png").status_code == 200, "this port stands for HTTPS"
    assert cdn("/x", "DELETE").status_code == 403
    assert cdn("/x", data=b"body").status_code == 403


def test_a_time_to_live_obeys_the_clock_of_the_stack(
    stack: Stack, make: Callable[..., Cdn], server: Server
) -> None:
    cdn = make(custom("localhost", port=server.port))

    def answer(headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        status = 304 if headers.get("if-none-match") == '"1"' else 200
        return status, {"Cache-Control": "max-age=300", "ETag": '"1"'}, b"kept"

    server.answers["/a"] = answer
    assert [cdn.cache("/a"), cdn.cache("/a")] == ["Miss", "Hit"]
    with moved_clock(stack, 290):
        assert int(cdn("/a").headers["age"]) >= 290
    with moved_clock(stack, 310):
        again = cdn("/a")
        assert (again.headers["x-cache"], again.text) == ("RefreshHit from cloudfront", "kept")
        assert cdn.cache("/a") == "Hit"
    assert len(server.paths("/a")) == 2


def test_what_may_not_be_kept_is_not(make: Callable[..., Cdn], server: Server) -> None:
    values = {"QueryString": False, "Cookies": {"Forward": "none"}}
    default = behavior(ForwardedValues=values, MinTTL=0)
    cdn = make(custom("localhost", port=server.port), default=default)
    for path, control in (("/no-store", "no-store"), ("/private", "private"), ("/0", "max-age=0")):
        server.answers[path] = lambda _, c=control: (200, {"Cache-Control": c}, b"x")
        assert cdn.cache(path) == cdn.cache(path) == "Miss"
    server.answers["/shared"] = lambda _: (200, {"Cache-Control": "max-age=0, s-maxage=9"}, b"x")
    assert [cdn.cache("/shared"), cdn.cache("/shared")] == ["Miss", "Hit"]


def test_errors_are_kept_for_ten_seconds(
    stack: Stack, make: Callable[..., Cdn], server: Server
) -> None:
    cdn = make(custom("localhost", port=server.port))
    server.answers["/gone"] = lambda _: (404, {}, b"no")

    assert [cdn.cache("/gone"), cdn.cache("/gone")] == ["Error", "Error"]
    assert len(server.paths("/gone")) == 1
    with moved_clock(stack, 11):
        cdn("/gone")
    assert len(server.paths("/gone")) == 2


def test_an_old_object_is_better_than_an_error(
    stack: Stack, make: Callable[..., Cdn], server: Server
) -> None:
    cdn = make(custom("localhost", port=server.port))
    server.answers["/a"] = lambda _: (200, {"Cache-Control": "max-age=5"}, b"old")
    assert cdn("/a").text == "old"
    server.answers["/a"] = lambda _: (500, {}, b"broken")
    with moved_clock(stack, 30):
        assert (cdn("/a").status_code, cdn("/a").text) == (200, "old")
    assert len(server.paths("/a")) == 2, "the failing origin is left alone for a while"


def test_one_of_many_asks_the_origin(make: Callable[..., Cdn], server: Server) -> None:
    cdn = make(custom("localhost", port=server.port))
    waiting, go = threading.Event(), threading.Event()

    def slow(_: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        waiting.set()
        assert go.wait(20)
        return 200, {}, b"once"

    server.answers["/slow"] = slow
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(cdn, "/slow")
        assert waiting.wait(20)
        others = [pool.submit(cdn, "/slow") for _ in range(7)]
        time.sleep(0.2)  # they may be on their way; a late one finds a hit, which is the same
        go.set()
        texts = {one.result().text for one in [first, *others]}
    assert (texts, len(server.paths("/slow"))) == ({"once"}, 1)


def test_what_is_fetched_while_it_is_invalidated_is_not_kept(
    make: Callable[..., Cdn], server: Server
) -> None:
    cdn = make(custom("localhost", port=server.port))
    waiting, go = threading.Event(), threading.Event()

    def slow(_: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        waiting.set()
        assert go.wait(20)
        return 200, {}, b"old"

    server.answers["/a"] = slow
    with ThreadPoolExecutor(1) as pool:
        fetched = pool.submit(cdn, "/a")
        assert waiting.wait(20)
        cdn.invalidate("/a")
        server.answers["/a"] = lambda _: (200, {}, b"new")
        assert cdn("/a").text == "new", "nobody waits for what is outdated"
        go.set()
        assert fetched.result().text == "old"
    assert (cdn("/a").text, cdn.cache("/a")) == ("new", "Hit")


def test_origins_that_do_not_answer(make: Callable[..., Cdn], server: Server) -> None:
    slow = {**custom("localhost", "slow", server.port, OriginReadTimeout=1)}
    cdn = make(
        custom("example.com"),
        custom("localhost", "closed", free_port()),
        slow,
        CacheBehaviors=counted(
            behavior("closed", PathPattern="/closed"), behavior("slow", PathPattern="/slow")
        ),
    )
    go = threading.Event()

    def late(_: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        go.wait(20)
        return 200, {}, b""

    server.answers["/slow"] = late
    internet, closed, timed_out = cdn("/"), cdn("/closed"), cdn("/slow")
    go.set()

    assert (internet.status_code, closed.status_code, timed_out.status_code) == (502, 502, 504)
    assert "example.com" in internet.text
    assert "nothing to the internet" in internet.text
    assert internet.headers["x-cache"] == "Error from cloudfront"


def test_the_second_origin_of_a_group(make: Callable[..., Cdn], server: Server) -> None:
    group = {
        "Id": "g",
        "FailoverCriteria": {"StatusCodes": counted(500, 404)},
        "Members": counted({"OriginId": "first"}, {"OriginId": "second"}),
    }
    second = {**custom("localhost", "second", server.port), "OriginPath": "/second"}
    cdn = make(
        {**custom("localhost", "first", server.port), "OriginPath": "/first"},
        second,
        default=behavior("g", CachePolicyId=DISABLED, AllowedMethods=every_method()),
        OriginGroups=counted(group),
    )
    server.answers["/first/bad"] = lambda _: (500, {}, b"bad")
    server.answers["/first/denied"] = lambda _: (403, {}, b"denied")

    assert cdn("/good").text == "/first/good"
    assert cdn("/bad").text == "/second/bad"
    assert cdn("/denied").status_code == 403
    assert cdn("/bad", "POST", data=b"x").status_code == 500, "only reads go to the second"


def test_headers_that_a_policy_adds(make: Callable[..., Cdn], server: Server) -> None:
    default = behavior(ResponseHeadersPolicyId=SIMPLE_CORS)
    cdn = make(custom("localhost", port=server.port), default=default)

    page = cdn("/a", headers={"Origin": "https://shop.example"})
    assert page.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in cdn("/a").headers


# --- The other front doors


def test_a_function_url_is_an_origin(stack: Stack, make: Callable[..., Cdn]) -> None:
    name = stack.create(
        """
        def handler(event, context):
            return {"statusCode": 200, "headers": {"cache-control": "max-age=60"},
                    "body": event["rawPath"] + "?" + event["rawQueryString"]}
        """
    )
    client = stack.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    let_everybody(client, name)
    url_id = url.rstrip("/").rpartition("/")[2]
    domain = f"{url_id}.lambda-url.us-east-1.on.aws"
    cdn = make(
        custom(domain, OriginProtocolPolicy="https-only"),
        default=behavior(OriginRequestPolicyId=ALL_BUT_HOST),
        CacheBehaviors=counted(
            behavior(PathPattern="/host", OriginRequestPolicyId=ALL_VIEWER),
        ),
    )

    assert [cdn("/a?b=1").text, cdn.cache("/a?b=1")] == ["/a?b=1", "Hit"]
    assert cdn("/host").status_code == 403, "AWS's function URLs take their own Host only"


def test_a_stream_of_a_function_that_fails_breaks_off_for_the_viewer(
    stack: Stack, make: Callable[..., Cdn]
) -> None:
    client = stack.client("lambda")
    name = stack.create({"app.js": STREAM}, runtime="nodejs20.x")
    url = client.create_function_url_config(
        FunctionName=name, AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )["FunctionUrl"]
    let_everybody(client, name)
    domain = f"{url.rstrip('/').rpartition('/')[2]}.lambda-url.us-east-1.on.aws"
    values = {"QueryString": True, "Cookies": {"Forward": "none"}}
    cdn = make(custom(domain), default=behavior(ForwardedValues=values, MinTTL=60))

    whole = cdn("/?head=1")
    with pytest.raises((ConnectionError, requests.RequestException)):
        cdn("/?head=1&fail=1")

    assert (whole.status_code, whole.text) == (201, "onetwo")


def test_a_distribution_signs_for_a_function_url(stack: Stack, make: Callable[..., Cdn]) -> None:
    """Origin access control: only the distribution may, and it does not look at bodies."""
    client, cloudfront = stack.client("lambda"), stack.client("cloudfront")
    name = stack.create(
        "import json\ndef handler(event, context):\n    return {'body': json.dumps(event)}\n"
    )
    url = client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")["FunctionUrl"]
    domain = f"{url.rstrip('/').rpartition('/')[2]}.lambda-url.us-east-1.on.aws"
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": secrets.token_hex(6),
            "OriginAccessControlOriginType": "lambda",
            "SigningBehavior": "always",
            "SigningProtocol": "sigv4",
        }
    )["OriginAccessControl"]["Id"]
    default = behavior(CachePolicyId=DISABLED, AllowedMethods=every_method())
    cdn = make({**custom(domain), "OriginAccessControlId": control}, default=default)
    other = make(custom(domain), default=default)

    def permit(action: str, arn: str) -> None:
        client.add_permission(
            FunctionName=name,
            StatementId=secrets.token_hex(6),
            Action=f"lambda:{action}",
            Principal="cloudfront.amazonaws.com",
            SourceArn=arn,
        )

    permit("InvokeFunctionUrl", cdn.arn)
    refused = cdn("/a")
    permit("InvokeFunction", cdn.arn)

    assert (refused.status_code, other("/a").status_code) == (403, 403)
    event = cdn("/a", headers={"Authorization": "mine", "X-Amz-Source-Arn": "mine"}).json()
    iam = event["requestContext"]["authorizer"]["iam"]
    assert iam["userArn"].endswith("assumed-role/OriginAccessControlRole/OriginAccessSession")
    assert event["requestContext"]["accountId"] == iam["accountId"] == "856369053181"
    headers = event["headers"]
    assert (headers["x-amz-source-arn"], headers["x-amz-source-account"]) == (
        *(cdn.arn, "000000000000"),
    )
    assert "authorization" not in headers
    unsigned = cdn("/a", "POST", data=b"hello")
    assert unsigned.status_code == 403
    assert unsigned.json()["message"].startswith("The request signature we calculated")
    digest = hashlib.sha256(b"hello").hexdigest()
    signed = cdn("/a", "POST", data=b"hello", headers={"X-Amz-Content-Sha256": digest})
    assert (signed.status_code, signed.json()["isBase64Encoded"]) == (200, True), signed.text


def test_an_http_api_and_a_load_balancer_are_origins(
    stack: Stack, make: Callable[..., Cdn]
) -> None:
    from tests.engine.front_doors import HTTP_API, LOAD_BALANCER, open_door

    code = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n"
    api = open_door(stack, HTTP_API, code)
    balancer = open_door(stack, LOAD_BALANCER, code)
    cdn = make(
        custom(f"{api.resource}.execute-api.us-east-1.amazonaws.com"),
        custom(f"localhost:{balancer.port}", "alb"),
        custom("nothing.execute-api.us-east-1.amazonaws.com", "none"),
        CacheBehaviors=counted(
            behavior("alb", PathPattern="/alb"), behavior("none", PathPattern="/none")
        ),
    )

    assert (cdn("/api").text, cdn("/alb").text) == ("hello", "hello")
    assert cdn("/none").status_code == 502


def test_a_distribution_has_a_name(stack: Stack, make: Callable[..., Cdn], server: Server) -> None:
    cdn = make(custom("localhost", port=server.port))
    port = stack.http_port

    def ask(host: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{port}/a", headers={"Host": host}, timeout=60)

    assert ask(cdn.domain).text == "/a"
    assert ask("d0.cloudfront.net").status_code == 403
    foreign = cdn("/a", headers={"Origin": "https://other.example"})
    assert foreign.status_code == 403, "no policy lets pages of other sites in"
    assert cdn("/a", headers={"Host": "other.example"}).status_code == 403


# --- Functions at the edge


@pytest.fixture(scope="module")
def edge(stack: Stack) -> str:
    """The version of the function that does what the path says."""
    name = stack.create(EDGE, Timeout=5, MemorySize=128)
    version = stack.client("lambda").publish_version(FunctionName=name)
    stack.wait_ready(version["FunctionArn"])
    return str(version["FunctionArn"])


def at(arn: str, *points: str, body: bool = False) -> dict[str, Any]:
    return counted(
        *(
            {
                "LambdaFunctionARN": arn,
                "EventType": point,
                "IncludeBody": body and point.endswith("request"),
            }
            for point in points
        )
    )


POINTS = ("viewer-request", "origin-request", "origin-response", "viewer-response")


@pytest.fixture
def cdn(make: Callable[..., Cdn], server: Server, edge: str) -> Cdn:
    """A distribution with the function at all four points."""
    default = behavior(
        AllowedMethods=every_method(), LambdaFunctionAssociations=at(edge, *POINTS, body=True)
    )
    return make(custom("localhost", port=server.port), default=default)


def test_a_function_sees_all_four_points(stack: Stack, cdn: Cdn, server: Server, edge: str) -> None:
    path = f"/{secrets.token_hex(6)}"
    first, second = cdn(path), cdn(path)

    for point in POINTS[2:]:
        assert first.headers[f"x-{point}"] == second.headers[f"x-{point}"] == path
    assert (first.headers["x-cache"], second.headers["x-cache"]) == (
        *("Miss from cloudfront", "Hit from cloudfront"),
    )
    assert server.seen[-1][2]["x-origin-request"] == path
    name = edge.split(":")[6]
    lines = stack.messages(name, until=f"at viewer-response {path}", count=2)
    said = [line.strip() for line in lines if path in line]
    assert sorted(said) == sorted(
        [f"at {point} {path}" for point in POINTS]
        + [f"at {point} {path}" for point in ("viewer-request", "viewer-response")]
    ), "a hit asks no origin"


def test_the_viewers_response_has_no_function_when_a_page_is_in_place_of_an_error(
    make: Callable[..., Cdn], server: Server, edge: str
) -> None:
    """That the page's status is 200 does not matter: the origin's was 403."""
    server.answers["/app/route"] = lambda _: (403, {}, b"denied")
    page = {"ErrorCode": 403, "ResponsePagePath": "/index.html", "ResponseCode": "200"}
    functions = at(edge, "origin-response", "viewer-response")
    cdn = make(
        custom("localhost", port=server.port),
        default=behavior(LambdaFunctionAssociations=functions),
        CustomErrorResponses=counted(page),
    )

    shown, direct = cdn("/app/route"), cdn("/index.html")

    assert (shown.status_code, shown.text) == (200, "/index.html")
    assert shown.headers["x-origin-response"] == "/index.html"
    assert "x-viewer-response" not in shown.headers
    assert direct.headers["x-viewer-response"] == "/index.html"


def test_a_function_rewrites_the_request(cdn: Cdn, server: Server) -> None:
    assert cdn("/viewer-request-rewrites").status_code == 200
    assert cdn("/origin-request-rewrites").status_code == 200
    assert cdn("/origin-request-origin").text == "/elsewhere/origin-request-origin"

    paths = [path for _, path, _, _ in server.seen]
    assert paths[:2] == ["/rewritten", "/rewritten?by=origin-request"], "the policy has no query"
    assert server.seen[2][2]["x-chosen"] == "origin-request"


def test_a_function_answers_by_itself(cdn: Cdn, server: Server) -> None:
    made = cdn("/viewer-request-made")
    assert (made.status_code, made.reason, made.text) == (203, "Made", "viewer-request")
    assert made.headers["x-cache"] == "LambdaGeneratedResponse from cloudfront"
    assert "x-viewer-response" not in made.headers
    origin, again = cdn("/origin-request-made"), cdn("/origin-request-made")
    assert (origin.text, again.headers["x-cache"]) == ("origin-request", "Hit from cloudfront")
    assert "x-origin-response" not in origin.headers
    assert not server.seen


def test_what_broke_off_is_not_made_whole_by_a_function(cdn: Cdn, server: Server) -> None:
    cut = {"Content-Length": "10", "Connection": "close"}
    server.answers["/cut"] = lambda _: (200, cut, b"abc")

    with pytest.raises((ConnectionError, requests.RequestException)):
        cdn("/cut")


def test_a_function_replaces_the_body(cdn: Cdn, server: Server) -> None:
    cdn("/viewer-request-body/origin-request-body", "POST", data="hello")
    assert server.seen[-1][3] == b"hello/False/viewer-request/False/origin-request"
    cdn("/x", "POST", data="untouched")
    assert server.seen[-1][3] == b"untouched"


INVALID = [
    *(f"/{point}-nothing" for point in POINTS),
    *(f"/{point}-forbidden" for point in POINTS),
    *(f"/{point}-read-only" for point in POINTS),
    "/viewer-request-large",
    "/viewer-response-status",
]


@pytest.mark.parametrize("path", INVALID)
def test_a_result_that_cannot_be_used(cdn: Cdn, path: str) -> None:
    answer = cdn(path)
    assert (answer.status_code, answer.headers["x-cache"]) == (
        *(502, "LambdaValidationError from cloudfront"),
    )
    assert "failed validation" in answer.text


@pytest.mark.parametrize("point", POINTS)
def test_a_function_that_fails(stack: Stack, cdn: Cdn, point: str) -> None:
    trace = f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    answer = cdn(f"/{point}-fails", headers={"X-Amzn-Trace-Id": trace})
    assert (answer.status_code, answer.headers["x-cache"]) == (
        *(503, "LambdaExecutionError from cloudfront"),
    )


def test_a_function_whose_time_is_over(cdn: Cdn) -> None:
    answer = cdn("/viewer-request-sleeps")
    assert (answer.status_code, answer.headers["x-cache"]) == (
        *(503, "LambdaExecutionError from cloudfront"),
    )


def test_a_throttled_function(stack: Stack, make: Callable[..., Cdn], server: Server) -> None:
    name = stack.create(EDGE, Timeout=5, MemorySize=128)
    client = stack.client("lambda")
    arn = client.publish_version(FunctionName=name)["FunctionArn"]
    stack.wait_ready(arn)
    default = behavior(LambdaFunctionAssociations=at(arn, "viewer-request"))
    cdn = make(custom("localhost", port=server.port), default=default)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    throttled = cdn("/a")
    client.delete_function(FunctionName=name)
    gone = cdn("/a")

    assert (throttled.status_code, throttled.headers["x-cache"]) == (
        *(503, "LambdaLimitExceeded from cloudfront"),
    )
    assert (gone.status_code, gone.headers["x-cache"]) == (
        *(503, "LambdaExecutionError from cloudfront"),
    )


def test_functions_that_are_refused(stack: Stack, edge: str, server: Server) -> None:
    client, iam = stack.client("lambda"), stack.client("iam")
    name = edge.split(":")[6]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    trust = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ]
    }
    role = iam.create_role(
        RoleName=f"edge-{secrets.token_hex(4)}", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]

    def version(**config: Any) -> str:
        made = stack.create(EDGE, **{"Timeout": 5, "MemorySize": 128, **config})
        return str(client.publish_version(FunctionName=made)["FunctionArn"])

    plain = edge.rpartition(":")[0]
    layer = stack.layer({"python/tool.py": ""})
    trusting_lambda = stack.create(EDGE, Timeout=5, MemorySize=128)
    client.update_function_configuration(FunctionName=trusting_lambda, Role=role)
    stack.wait_ready(trusting_lambda)
    for arn, said in (
        (plain, "specific function version"),
        (f"{plain}:$LATEST", "specific function version"),
        (f"{plain}:live", "specific function version"),
        (f"{plain}:99", "cannot retrieve"),
        (version(Environment={"Variables": {"STAGE": "b"}}), "environment variables"),
        (version(Layers=[layer]), "layer"),
        (version(Timeout=6), "timeout"),
        (version(MemorySize=256), "memory size"),
        (
            client.publish_version(FunctionName=trusting_lambda)["FunctionArn"],
            "edgelambda.amazonaws.com",
        ),
    ):
        default = behavior(LambdaFunctionAssociations=at(arn, "viewer-request"))
        config = {
            "Origins": counted(custom("localhost", port=server.port)),
            "DefaultCacheBehavior": default,
        }
        with pytest.raises(botocore.exceptions.ClientError, match=said) as caught:
            pytest.fail(f"made with {said}: {Cdn(stack, config).id}")
        assert caught.value.response["Error"]["Code"] == "InvalidLambdaFunctionAssociation"


# --- The engine


def test_an_engine_that_ends_takes_only_the_cache_along(
    stack: Stack, make: Callable[..., Cdn], server: Server
) -> None:
    cdn = make(custom("localhost", port=server.port))
    assert [cdn.cache("/a"), cdn.cache("/a")] == ["Miss", "Hit"]
    kill(engine(stack))

    def serves() -> str:
        try:
            return cdn.cache("/a")
        except requests.ConnectionError as error:
            raise AssertionError("it does not serve yet") from error

    assert eventually(serves) == "Miss"
    cdn.invalidate("/a")
    assert cdn.cache("/a") == "Miss"

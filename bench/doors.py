"""Every front door with ``wrk``: HTTP API, with a JWT, REST API, function URL, load balancer.

``python -m bench.doors [--seconds N] [--rounds N] [--soak N]``. One run measures all of them with
a silent handler and 1, 8 and 64 connections, and prints each rate beside that of the HTTP API; then
the time of a 6 MB body, the first byte of a streamed answer, and the memory of the engine over
``--soak`` requests (0 leaves that out; a million take about five minutes).
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.http import CONNECTIONS, HANDLERS, Measured, deploy, load, settle
from bench.servers import Server, client, create_function, trigger_stack
from bench.soak import processes

ACCOUNT = "000000000000"
ISSUER = "https://bench.example"
STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write("first");
  await new Promise((done) => setTimeout(done, 500));
  stream.write("last");
  stream.end();
});
"""
_BODY = b"x" * 5_900_000
_TIMES = 15


@dataclass(frozen=True)
class Door:
    """A front door: what it is called, and where and how it is asked."""

    name: str
    port: int
    path: str
    headers: tuple[str, ...] = ()


@contextmanager
def signed_token() -> Iterator[tuple[str, str]]:
    """A token, and the file with the key that it is signed with."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    claims = {"iss": ISSUER, "aud": "bench", "sub": "u", "exp": int(time.time()) + 3600}
    token = jwt.encode(claims, key, algorithm="RS256", headers={"kid": "one"})
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"keys": [{**public, "kid": "one", "use": "sig"}]}, file)
        file.flush()
        yield token, file.name


def invocation_uri(name: str) -> str:
    """What API Gateway calls a function."""
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"
    return f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"


def protect(server: Server, api_id: str) -> None:
    """Add ``GET /members``, which asks for a token."""
    apis = client(server.edge, "apigatewayv2")
    authorizer = apis.create_authorizer(
        ApiId=api_id,
        Name="members",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": ISSUER, "Audience": ["bench"]},
    )["AuthorizerId"]
    target = apis.get_routes(ApiId=api_id)["Items"][0]["Target"]
    apis.create_route(
        ApiId=api_id,
        RouteKey="GET /members",
        Target=target,
        AuthorizationType="JWT",
        AuthorizerId=authorizer,
    )


def rest_api(server: Server) -> None:
    """Put the function behind a REST API."""
    apis = client(server.edge, "apigateway")
    api = apis.create_rest_api(name="bench")
    resource = apis.create_resource(
        restApiId=api["id"], parentId=api["rootResourceId"], pathPart="x"
    )["id"]
    place = {"restApiId": api["id"], "resourceId": resource, "httpMethod": "ANY"}
    apis.put_method(**place, authorizationType="NONE")
    apis.put_integration(
        **place, type="AWS_PROXY", integrationHttpMethod="POST", uri=invocation_uri("bench")
    )
    apis.create_deployment(restApiId=api["id"], stageName="live")


def function_url(server: Server, name: str, **settings: Any) -> None:
    """Give a function a URL that everybody may call."""
    functions = client(server.edge, "lambda")
    functions.create_function_url_config(FunctionName=name, AuthType="NONE", **settings)
    for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
        functions.add_permission(
            FunctionName=name, StatementId=action.rpartition(":")[2], Action=action, Principal="*"
        )


def load_balancer(server: Server) -> int:
    """Put the function behind a load balancer; returns its port."""
    elb, functions = client(server.edge, "elbv2"), client(server.edge, "lambda")
    functions.add_permission(
        FunctionName="bench",
        StatementId="elb",
        Action="lambda:InvokeFunction",
        Principal="elasticloadbalancing.amazonaws.com",
    )
    group = elb.create_target_group(Name="bench", TargetType="lambda")["TargetGroups"][0]
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:bench"
    elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": arn}])
    subnets = client(server.edge, "ec2").describe_subnets()["Subnets"][:2]
    balancer = elb.create_load_balancer(Name="bench", Subnets=[s["SubnetId"] for s in subnets])
    balancer_arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    elb.create_listener(
        LoadBalancerArn=balancer_arn,
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    found = elb.describe_load_balancers(LoadBalancerArns=[balancer_arn])["LoadBalancers"][0]
    return int(found["DNSName"].rpartition(":")[2])


def at(server: Server, door: Door) -> Server:
    """The server as it is reached through a door."""
    return Server(door.name, door.port, server.host, server.edge, server.process)


def measure(server: Server, doors: list[Door], seconds: int, rounds: int) -> None:
    """Print a line for each door and number of connections.

    Each round asks every door once: what else the machine does then slows all of them down. A line
    has the medians of the rounds; its ratio is the median of the ratios within a round.
    """
    for door in doors:
        load(at(server, door), door.path, CONNECTIONS[-1], 2, door.headers)
        settle(at(server, door), door.path, door.headers)
    print("door             conn   p50 ms   p99 ms   req/s  of HTTP API (least, most)")
    for connections in CONNECTIONS:
        found: list[list[Measured]] = [[] for _ in doors]
        for _ in range(rounds):
            for results, door in zip(found, doors, strict=True):
                measured = load(at(server, door), door.path, connections, seconds, door.headers)
                results.append(measured)
        for results, door in zip(found, doors, strict=True):
            ratios = [one.rate / base.rate for one, base in zip(results, found[0], strict=True)]
            p50, p99, rate, _ = (
                statistics.median(column)
                for column in zip(*(one.numbers for one in results), strict=True)
            )
            wrong = " ".join(filter(None, (one.wrong for one in results)))
            print(
                f"{door.name:16} {connections:4} {p50:8.2f} {p99:8.2f} {rate:7.0f}"
                f"  {statistics.median(ratios):5.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
                f"  {wrong}".rstrip(),
                flush=True,
            )


def bodies(doors: list[Door]) -> None:
    """Print how long a body of nearly 6 MB takes, there and back as its length."""
    for door in doors:
        times = []
        for _ in range(_TIMES):
            connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=60)
            headers = {"Content-Type": "text/plain"} | dict(h.split(": ", 1) for h in door.headers)
            started = time.perf_counter()
            connection.request("POST", door.path, body=_BODY, headers=headers)
            answer = connection.getresponse()
            answer.read()
            times.append((time.perf_counter() - started) * 1000)
            connection.close()
        quantiles = statistics.quantiles(times, n=20)
        print(
            f"{door.name:16} body of {len(_BODY) / 1e6:.1f} MB: status {answer.status},"
            f" p50 {statistics.median(times):.0f} ms, p95 {quantiles[-1]:.0f} ms"
        )


def first_byte(port: int) -> None:
    """Print when the first and the last part of a streamed answer come."""
    firsts, lasts = [], []
    for _ in range(_TIMES):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        started = time.perf_counter()
        connection.request("GET", "/_function-url/stream/")
        answer = connection.getresponse()
        answer.read(1)
        firsts.append((time.perf_counter() - started) * 1000)
        answer.read()
        lasts.append((time.perf_counter() - started) * 1000)
        connection.close()
    print(
        f"streamed answer: first byte p50 {statistics.median(firsts):.1f} ms, last (written 500 ms"
        f" later) p50 {statistics.median(lasts):.1f} ms"
    )


def soak(server: Server, door: Door, wanted: int) -> None:
    """Print the engine's memory while it answers many requests."""
    done = 0
    while done < wanted:
        measured = load(at(server, door), door.path, 8, 20)
        done += int(measured.rate * 20)
        memory = processes(server)["engine"].memory_info().rss / 2**20
        print(f"{done:9} requests: the engine has {memory:.0f} MB  {measured.wrong}", flush=True)


def main() -> None:
    """Measure and print; ends with code 1 when ``wrk`` is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=5, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each door")
    parser.add_argument("--soak", type=int, default=200_000, help="requests; 0: none")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing. Install it, for example: apt-get install wrk")
    with signed_token() as (token, file), trigger_stack(HTTP_API_JWKS_FILE=file) as server:
        api_id = deploy(server, HANDLERS["silent"], methods=("GET", "POST"))
        protect(server, api_id)
        rest_api(server)
        function_url(server, "bench")
        port = load_balancer(server)
        create_function(server.edge, "stream", STREAM, node=True)
        function_url(server, "stream", InvokeMode="RESPONSE_STREAM")
        doors = [
            Door("HTTP API", server.port, "/x"),
            Door("  with a JWT", server.port, "/members", (f"Authorization: Bearer {token}",)),
            Door("REST API", server.port, "/_rest-api/bench/live/x"),
            Door("function URL", server.port, "/_function-url/bench/x"),
            Door("load balancer", port, "/x"),
        ]
        measure(server, doors, options.seconds, options.rounds)
        # A load balancer takes a body of 1 MB at most, and the route with a token only GET.
        bodies([door for door in doors if door.name not in ("  with a JWT", "load balancer")])
        first_byte(server.port)
        if options.soak:
            soak(server, doors[0], options.soak)


if __name__ == "__main__":
    main()

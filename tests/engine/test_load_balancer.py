"""Application Load Balancers in front of functions: rules, events, errors, health, ports."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.apigatewayv2.http_api_emulator import start_emulator, stop_emulator
from tests.engine.lambda_stack import Stack, engine, kill, start_stack
from tests.support.journal import Journal
from tests.support.ports import free_block, free_port
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("load balancer")


ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "headers": {"content-type": "application/json"},
            "body": json.dumps(event)}
"""
RESULT = "import json\ndef handler(event, context):\n    return json.loads(event['body'])\n"
PORTS = 12
PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n"
    "<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
)
TEXT = {"Content-Type": "text/plain"}


@pytest.fixture(scope="module")
def first_port() -> int:
    """Of a range of its own: tests in other workers have load balancers too."""
    return free_block()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, first_port: int) -> Iterator[Stack]:
    """A stack with EC2, whose subnets a load balancer wants."""
    running = start_stack(
        tmp_path_factory.mktemp("load-balancers") / "state",
        SERVICES="lambda,logs,iam,sts,cloudwatch,ec2,elbv2",
        LOAD_BALANCER_PORTS=f"{first_port}-{first_port + PORTS - 1}",
    )
    try:
        yield running
        assert "Traceback (most recent call last)" not in running.log, running.log
    finally:
        running.stop()


@dataclass
class Balancer:
    """A load balancer with one listener."""

    elb: Any
    arn: str
    listener: str
    target_group: str
    url: str

    def rule(
        self, conditions: list[dict[str, Any]], text: str = "rule", priority: int | None = None
    ) -> str:
        """Add a rule that answers with a text."""
        made = self.elb.create_rule(
            ListenerArn=self.listener,
            Priority=priority or secrets.randbelow(50_000) + 1,
            Conditions=conditions,
            Actions=[fixed(text)],
        )
        return str(made["Rules"][0]["RuleArn"])


def fixed(text: str, status: int = 200, kind: str = "text/plain") -> dict[str, Any]:
    configuration = {"StatusCode": str(status), "ContentType": kind, "MessageBody": text}
    return {"Type": "fixed-response", "FixedResponseConfig": configuration}


def forward(*groups: tuple[str, int]) -> dict[str, Any]:
    targets = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": targets}}


def paths(*values: str) -> list[dict[str, Any]]:
    return [{"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}]


def random_name(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(6)}"


def subnets(stack: Stack) -> list[str]:
    """Two of the default VPC's."""
    found = stack.client("ec2").describe_subnets()["Subnets"]
    return [subnet["SubnetId"] for subnet in found[:2]]


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:000000000000:function:{name}"


def make_group(stack: Stack, function: str | None = None, **settings: Any) -> str:
    """A target group, with a function that lets it invoke when one is given."""
    elb = stack.client("elbv2")
    made = elb.create_target_group(Name=random_name("tg"), TargetType="lambda", **settings)
    arn = str(made["TargetGroups"][0]["TargetGroupArn"])
    if function:
        permit(stack, function, arn)
        elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": function_arn(function)}])
    return arn


def permit(stack: Stack, function: str, group: str, **more: str) -> None:
    stack.client("lambda").add_permission(
        FunctionName=function,
        StatementId=random_name("elb"),
        Action="lambda:InvokeFunction",
        Principal="elasticloadbalancing.amazonaws.com",
        SourceArn=group,
        **more,
    )


def make_balancer(stack: Stack, group: str = "", action: dict[str, Any] | None = None) -> Balancer:
    """A load balancer with one listener, which forwards to a target group."""
    elb = stack.client("elbv2")
    made = elb.create_load_balancer(Name=random_name("lb"), Subnets=subnets(stack))
    balancer = made["LoadBalancers"][0]
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[action or {"Type": "forward", "TargetGroupArn": group}],
    )["Listeners"][0]
    return Balancer(
        elb,
        balancer["LoadBalancerArn"],
        listener["ListenerArn"],
        group,
        f"http://{balancer['DNSName']}",
    )


@pytest.fixture
def made(stack: Stack) -> Iterator[list[Balancer]]:
    """Load balancers that a test makes: there are only so many ports."""
    balancers: list[Balancer] = []
    yield balancers
    for balancer in balancers:
        balancer.elb.delete_load_balancer(LoadBalancerArn=balancer.arn)


@pytest.fixture(scope="module")
def echo(stack: Stack) -> Iterator[Balancer]:
    """In front of a function that returns its event."""
    balancer = make_balancer(stack, make_group(stack, stack.create(ECHO)))
    yield balancer
    balancer.elb.delete_load_balancer(LoadBalancerArn=balancer.arn)


@pytest.fixture(scope="module")
def result(stack: Stack) -> Iterator[Balancer]:
    """In front of a function that returns what it is sent."""
    balancer = make_balancer(stack, make_group(stack, stack.create(RESULT)))
    yield balancer
    balancer.elb.delete_load_balancer(LoadBalancerArn=balancer.arn)


def get(balancer: Balancer, path: str = "/", **arguments: Any) -> requests.Response:
    arguments = {"timeout": 20, "allow_redirects": False, **arguments}
    return requests.get(f"{balancer.url}{path}", **arguments)


def refused(balancer: Balancer) -> bool:
    try:
        get(balancer)
    except requests.ConnectionError:
        return True
    return False


# --- Events


def test_the_address_leads_to_the_listener(echo: Balancer) -> None:
    balancer = echo.elb.describe_load_balancers(LoadBalancerArns=[echo.arn])["LoadBalancers"][0]

    assert balancer["State"]["Code"] == "active"
    assert f"http://{balancer['DNSName']}" == echo.url, "the same as before it had a listener"
    assert get(echo).status_code == 200


def test_the_event_is_as_aws_documents_it(echo: Balancer) -> None:
    answer = requests.post(
        f"{echo.url}/a%2Fb/c?x=1&x=%202&y=+",
        data="hello",
        headers={**TEXT, "X-Mixed": "V", "X-Forwarded-For": "192.0.2.1"},
        timeout=20,
    )

    assert (answer.status_code, answer.reason) == (200, "OK")
    assert answer.headers["server"] == "awselb/2.0"
    event = answer.json()
    assert event["requestContext"] == {"elb": {"targetGroupArn": echo.target_group}}
    assert (event["httpMethod"], event["path"]) == ("POST", "/a%2Fb/c")
    assert event["queryStringParameters"] == {"x": "%202", "y": "+"}
    assert (event["body"], event["isBase64Encoded"]) == ("hello", False)
    headers = event["headers"]
    assert headers["x-mixed"] == "V"
    assert headers["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-port"] == echo.url.rpartition(":")[2]
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert set(event) == {
        "requestContext",
        "httpMethod",
        "path",
        "queryStringParameters",
        "headers",
        "body",
        "isBase64Encoded",
    }


def test_multi_value_headers_both_ways(stack: Stack, made: list[Balancer]) -> None:
    code = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event), "multiValueHeaders": {
        "Set-Cookie": ["a=1; HttpOnly", "b=2"], "Content-Type": ["application/json"]}}
"""
    group = make_group(stack, stack.create(code))
    balancer = make_balancer(stack, group)
    made.append(balancer)
    single = get(balancer, "/?k=1&k=2")
    assert "headers" in single.json()
    assert "set-cookie" not in single.headers, "which counts with the attribute only"

    attribute = {"Key": "lambda.multi_value_headers.enabled", "Value": "true"}
    answer = balancer.elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[attribute]
    )

    assert attribute in answer["Attributes"]
    multi = get(balancer, "/?k=1&k=2")
    event = multi.json()
    assert event["multiValueQueryStringParameters"] == {"k": ["1", "2"]}
    assert event["multiValueHeaders"]["x-forwarded-proto"] == ["http"]
    assert not {"headers", "queryStringParameters"} & event.keys()
    assert multi.raw.headers.getlist("set-cookie") == ["a=1; HttpOnly", "b=2"]


def test_binary_bodies_are_base64_both_ways(stack: Stack, made: list[Balancer]) -> None:
    code = """
def handler(event, context):
    assert event["isBase64Encoded"]
    return {"statusCode": 200, "body": event["body"], "isBase64Encoded": True,
            "headers": {"content-type": "image/png"}}
"""
    balancer = make_balancer(stack, make_group(stack, stack.create(code)))
    made.append(balancer)

    answer = requests.post(balancer.url, data=bytes(range(256)), timeout=60)

    assert answer.content == bytes(range(256))
    assert answer.headers["content-type"] == "image/png"


def test_an_alias_can_be_a_target(stack: Stack, made: list[Balancer]) -> None:
    code = """
def handler(event, context):
    return {"statusCode": 200, "body": context.invoked_function_arn}
"""
    name = stack.create(code)
    client = stack.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    group = make_group(stack)
    elb = stack.client("elbv2")
    target = {"TargetGroupArn": group, "Targets": [{"Id": f"{function_arn(name)}:live"}]}
    permit(stack, name, group)
    with pytest.raises(ClientError, match="does not have permission"):
        elb.register_targets(**target)
    permit(stack, name, group, Qualifier="live")
    elb.register_targets(**target)
    balancer = make_balancer(stack, group)
    made.append(balancer)

    assert get(balancer).text.endswith(f":function:{name}:live")


def test_an_https_listener_is_served_without_tls(stack: Stack, made: list[Balancer]) -> None:
    elb = stack.client("elbv2")
    balancer = elb.create_load_balancer(Name=random_name("lb"), Subnets=subnets(stack))
    arn, address = (balancer["LoadBalancers"][0][k] for k in ("LoadBalancerArn", "DNSName"))
    group = make_group(stack, stack.create(ECHO))
    certificate = "arn:aws:iam::000000000000:server-certificate/local"
    listener = elb.create_listener(
        LoadBalancerArn=arn,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )["Listeners"][0]
    made.append(Balancer(elb, arn, listener["ListenerArn"], group, f"http://{address}"))

    assert listener["SslPolicy"] == "ELBSecurityPolicy-2016-08"
    assert get(made[0]).json()["headers"]["x-forwarded-proto"] == "https"


def test_the_journal_names_the_load_balancer(stack: Stack, made: list[Balancer]) -> None:
    name = stack.create(ECHO)
    balancer = make_balancer(stack, make_group(stack, name))
    made.append(balancer)
    own = balancer.arn.split("/")[2]

    event = get(balancer).json()

    journal = Journal(f"http://127.0.0.1:{stack.port}")
    (row,) = eventually(lambda: journal.find(function=name))
    assert (row["kind"], row["source"]) == ("HTTP request", f"load balancer {own}")
    assert row["trace"] in event["headers"]["x-amzn-trace-id"]


def test_a_head_request_has_no_body(echo: Balancer) -> None:
    answer = requests.head(echo.url, timeout=60)

    assert (answer.status_code, answer.content) == (200, b"")


# --- Results and errors


@pytest.mark.parametrize(
    ("sent", "status", "reason", "content_type", "body"),
    [
        ({"statusCode": 200}, 200, "OK", "application/octet-stream", ""),
        (
            {"statusCode": 404, "statusDescription": "404 No such brand", "body": "x"},
            *(404, "No such brand", "application/octet-stream", "x"),
        ),
        (
            {"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": "<p>"},
            *(200, "OK", "text/html", "<p>"),
        ),
    ],
)
def test_results(
    result: Balancer, sent: object, status: int, reason: str, content_type: str, body: str
) -> None:
    answer = requests.post(result.url, data=json.dumps(sent), headers=TEXT, timeout=60)

    assert (answer.status_code, answer.reason) == (status, reason)
    assert (answer.headers["content-type"], answer.text) == (content_type, body)


@pytest.mark.parametrize(
    "sent",
    [
        "text",
        None,
        {"body": "no status"},
        {"statusCode": 42},
        {"statusCode": 200, "headers": {"x": 1}},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
        {"statusCode": 200, "headers": {"x": "1\r\ny: 2"}},
    ],
)
def test_a_result_that_is_no_response_is_502(result: Balancer, sent: object) -> None:
    answer = requests.post(result.url, data=json.dumps(sent), headers=TEXT, timeout=60)

    assert_page(answer, "502 Bad Gateway")


def assert_page(answer: requests.Response, title: str) -> None:
    """The answer is the load balancer's own."""
    assert f"{answer.status_code} {answer.reason}" == title
    assert answer.headers["server"] == "awselb/2.0"
    assert answer.headers["content-type"] == "text/html"
    assert answer.text == PAGE.format(title)


@pytest.mark.parametrize(
    "code",
    [
        "def handler(event, context): raise ValueError('no')",
        "import time\ndef handler(event, context): time.sleep(30)",
        "import os\ndef handler(event, context): os._exit(3)",
        "def handler(event, context): return {'statusCode': 200, 'body': 'x' * 1048576}",
    ],
    ids=["error", "time-out", "exit", "too large"],
)
def test_a_function_that_fails_is_502(stack: Stack, made: list[Balancer], code: str) -> None:
    balancer = make_balancer(stack, make_group(stack, stack.create(code, Timeout=1)))
    made.append(balancer)

    assert_page(get(balancer), "502 Bad Gateway")


def test_one_megabyte_of_body_and_no_more(echo: Balancer, result: Balancer) -> None:
    answer = requests.post(result.url, data=b"x" * 1_048_577, headers=TEXT, timeout=60)
    assert_page(answer, "413 Request Entity Too Large")

    padding = '{"statusCode": 200, "x": ""}'
    most = padding.replace('""', f'"{"x" * (1_048_576 - len(padding))}"')
    assert len(most) == 1_048_576
    answer = requests.post(result.url, data=most, headers=TEXT, timeout=60)
    assert answer.status_code == 200
    echo.rule(paths("/fixed"), "fixed")
    answer = requests.post(f"{echo.url}/fixed", data=b"x" * 1_048_577, timeout=60)
    assert answer.text == "fixed", "which is no function"


def test_a_throttled_function_is_502(stack: Stack, made: list[Balancer]) -> None:
    name = stack.create(ECHO)
    balancer = make_balancer(stack, make_group(stack, name))
    made.append(balancer)
    stack.client("lambda").put_function_concurrency(
        FunctionName=name, ReservedConcurrentExecutions=0
    )

    assert_page(get(balancer), "502 Bad Gateway")


def test_a_function_that_was_deleted_is_502(stack: Stack, made: list[Balancer]) -> None:
    name = stack.create(ECHO)
    balancer = make_balancer(stack, make_group(stack, name))
    made.append(balancer)
    stack.client("lambda").delete_function(FunctionName=name)

    assert_page(get(balancer), "502 Bad Gateway")


def test_without_a_target_it_is_503(stack: Stack, made: list[Balancer]) -> None:
    name = stack.create(ECHO)
    group = make_group(stack, name)
    balancer = make_balancer(stack, group)
    made.append(balancer)
    assert get(balancer).status_code == 200

    balancer.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": function_arn(name)}])

    assert_page(get(balancer), "503 Service Temporarily Unavailable")


@pytest.mark.parametrize(
    ("method", "path", "headers", "title"),
    [
        ("TRACE", "/", {}, "405 Not Allowed"),
        ("GET", f"/{'x' * 17_000}", {}, "414 Request-URI Too Large"),
        ("GET", "/", {"X-Long": "x" * 17_000}, "400 Bad Request"),
        ("GET", "/", {"Connection": "Upgrade", "Upgrade": "websocket"}, "400 Bad Request"),
        ("GET", "/", {"X-Forwarded-For": ",".join(["192.0.2.1"] * 31)}, "463 "),
    ],
)
def test_requests_that_no_function_gets(
    echo: Balancer, method: str, path: str, headers: dict[str, str], title: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(echo.url.rpartition(":")[2]))
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()

    assert f"{answer.status} {answer.reason}" == title
    assert answer.read().decode() == PAGE.format(title.rstrip())
    connection.close()


def test_a_malformed_request_is_400(echo: Balancer) -> None:
    port = int(echo.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n")
        answer = client.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(PAGE.format("400 Bad Request").encode())


# --- Who may invoke


def test_a_function_that_does_not_let_it_cannot_be_registered(stack: Stack) -> None:
    name = stack.create(ECHO)
    group, other = make_group(stack), make_group(stack)
    permit(stack, name, other)
    elb = stack.client("elbv2")

    with pytest.raises(ClientError) as caught:
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": function_arn(name)}])

    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    assert error["Message"] == (
        "elasticloadbalancing principal does not have permission to invoke"
        f" {function_arn(name)} from target group {group}"
    )
    health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert health == []


def test_a_permission_that_is_taken_back_counts_at_once(stack: Stack, made: list[Balancer]) -> None:
    name = stack.create(ECHO)
    balancer = make_balancer(stack, make_group(stack, name))
    made.append(balancer)
    client = stack.client("lambda")
    policy = json.loads(client.get_policy(FunctionName=name)["Policy"])
    assert get(balancer).status_code == 200

    client.remove_permission(FunctionName=name, StatementId=policy["Statement"][0]["Sid"])

    assert_page(get(balancer), "502 Bad Gateway")
    eventually(lambda: "LambdaAccessDenied" in stack.log)


def test_a_target_group_takes_one_function(stack: Stack) -> None:
    one, two = stack.create(ECHO), stack.create(ECHO)
    group = make_group(stack, one)
    permit(stack, two, group)
    elb = stack.client("elbv2")

    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": function_arn(one)}])
    with pytest.raises(ClientError, match="TooManyTargets"):
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": function_arn(two)}])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Host": "shop.of-ours.example"}, 200),
    ],
)
def test_pages_of_other_sites_are_refused(
    echo: Balancer, headers: dict[str, str], status: int
) -> None:
    """A host that a rule names is somebody's own."""
    host = {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.of-ours.example"]}}
    rule = echo.rule([host])

    assert get(echo, headers=headers).status_code == status
    echo.elb.delete_rule(RuleArn=rule)


# --- Rules


@pytest.mark.parametrize(
    ("condition", "taken", "passed"),
    [
        (
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.shop.example"]}},
            *({"headers": {"Host": "EU.shop.example"}}, {"headers": {"Host": "localhost"}}),
        ),
        (
            {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/img/*", "/js/?"]}},
            *({"path": "/js/x"}, {"path": "/IMG/x"}),
        ),
        (
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "X-Kind", "Values": ["b*"]},
            },
            *({"headers": {"x-kind": "Brand"}}, {"headers": {"x-kind": "a brand"}}),
        ),
        (
            {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["PUT"]}},
            *({"method": "PUT"}, {"method": "POST"}),
        ),
        (
            {
                "Field": "query-string",
                "QueryStringConfig": {"Values": [{"Key": "v", "Value": "1"}, {"Value": "any"}]},
            },
            *({"path": "/?x=ANY"}, {"path": "/?x=1"}),
        ),
        (
            {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/v[12]/"]}},
            *({"path": "/v2/x"}, {"path": "/v3/x"}),
        ),
    ],
)
def test_conditions(
    echo: Balancer, condition: dict[str, Any], taken: dict[str, Any], passed: dict[str, Any]
) -> None:
    rule = echo.rule([condition], "taken")

    def ask(method: str = "GET", path: str = "/", **arguments: Any) -> str:
        return requests.request(method, echo.url + path, timeout=60, **arguments).text

    assert ask(**taken) == "taken"
    assert ask(**passed) != "taken"
    echo.elb.delete_rule(RuleArn=rule)
    assert ask(**taken) != "taken"


@pytest.mark.parametrize(("network", "holds"), [("127.0.0.0/8", True), ("192.0.2.0/24", False)])
def test_the_source_is_a_condition(echo: Balancer, network: str, holds: bool) -> None:
    condition = {"Field": "source-ip", "SourceIpConfig": {"Values": [network]}}
    rule = echo.rule([condition], "taken")

    answer = get(echo, headers={"X-Forwarded-For": "192.0.2.1"})

    assert (answer.text == "taken") is holds
    echo.elb.delete_rule(RuleArn=rule)


def test_the_lowest_priority_comes_first_and_priorities_can_change_places(
    stack: Stack, made: list[Balancer]
) -> None:
    balancer = make_balancer(stack, action=fixed("default"))
    made.append(balancer)
    second = balancer.rule(paths("/a*"), "second", 20)
    first = balancer.rule(paths("/ab*"), "first", 3)
    assert [get(balancer, path).text for path in ("/abc", "/a", "/b")] == [
        "first",
        "second",
        "default",
    ]
    with pytest.raises(ClientError, match="PriorityInUse"):
        balancer.rule(paths("/x"), "third", 3)

    balancer.elb.set_rule_priorities(
        RulePriorities=[
            {"RuleArn": first, "Priority": 20},
            {"RuleArn": second, "Priority": 3},
        ]
    )

    assert get(balancer, "/abc").text == "second"
    rules = balancer.elb.describe_rules(ListenerArn=balancer.listener)["Rules"]
    assert [(rule["RuleArn"], rule["Priority"]) for rule in rules[:2]] == [
        (second, "3"),
        (first, "20"),
    ]
    assert rules[2]["Priority"] == "default"
    with pytest.raises(ClientError, match="PriorityInUse"):
        balancer.elb.set_rule_priorities(RulePriorities=[{"RuleArn": first, "Priority": 3}])


def test_a_change_counts_at_once(stack: Stack, made: list[Balancer]) -> None:
    balancer = make_balancer(stack, action=fixed("default"))
    made.append(balancer)
    elb = balancer.elb
    rule = balancer.rule(paths("/a"), "one")
    assert get(balancer, "/a").text == "one"

    elb.modify_rule(RuleArn=rule, Actions=[fixed("two", 404)])
    assert (get(balancer, "/a").text, get(balancer, "/a").status_code) == ("two", 404)
    elb.modify_rule(RuleArn=rule, Conditions=paths("/b"))
    assert (get(balancer, "/a").text, get(balancer, "/b").text) == ("default", "two")
    elb.delete_rule(RuleArn=rule)
    assert get(balancer, "/b").text == "default"
    elb.modify_listener(ListenerArn=balancer.listener, DefaultActions=[fixed("other")])
    assert get(balancer, "/b").text == "other"


def test_a_fixed_response(stack: Stack, made: list[Balancer]) -> None:
    balancer = make_balancer(stack, action=fixed('{"a": 1}', 503, "application/json"))
    made.append(balancer)

    answer = get(balancer)

    assert (answer.status_code, answer.json()) == (503, {"a": 1})
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["server"] == "awselb/2.0"


def test_a_redirect(stack: Stack, made: list[Balancer]) -> None:
    redirect = {"Path": "/new/#{path}", "Query": "q=1&#{query}", "StatusCode": "HTTP_301"}
    balancer = make_balancer(stack, action=fixed("arrived"))
    made.append(balancer)
    balancer.elb.create_rule(
        ListenerArn=balancer.listener,
        Priority=1,
        Conditions=paths("/old/*"),
        Actions=[{"Type": "redirect", "RedirectConfig": redirect}],
    )

    answer = get(balancer, "/old/x?y=%20")

    assert answer.status_code == 301
    assert answer.headers["location"] == f"{balancer.url}/new/old/x?q=1&y=%20"
    assert get(balancer, "/old/x", allow_redirects=True).text == "arrived"
    secure = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_302"}
    balancer.elb.modify_listener(
        ListenerArn=balancer.listener,
        DefaultActions=[{"Type": "redirect", "RedirectConfig": secure}],
    )
    answer = get(balancer, "/a?b")
    assert (answer.status_code, answer.headers["location"]) == (302, "https://localhost:443/a?b")


def test_weights(stack: Stack, made: list[Balancer]) -> None:
    code = "def handler(event, context): return {'statusCode': 200, 'body': '%s'}"
    one = make_group(stack, stack.create(code % "one"))
    two = make_group(stack, stack.create(code % "two"))
    empty = make_group(stack)
    balancer = make_balancer(stack, action=forward((one, 1), (two, 0)))
    made.append(balancer)

    def answers(count: int = 60) -> set[str]:
        return {get(balancer).text for _ in range(count)}

    def change(*groups: tuple[str, int]) -> None:
        actions = [forward(*groups)]
        balancer.elb.modify_listener(ListenerArn=balancer.listener, DefaultActions=actions)

    assert answers(20) == {"one"}
    change((one, 1), (two, 1))
    assert answers() == {"one", "two"}
    change((one, 0), (two, 0))
    assert get(balancer).status_code == 503
    change((one, 1), (empty, 1))
    assert answers() == {"one", PAGE.format("503 Service Temporarily Unavailable")}


def test_a_client_stays_with_its_target_group(stack: Stack, made: list[Balancer]) -> None:
    code = "def handler(event, context): return {'statusCode': 200, 'body': '%s'}"
    groups = [make_group(stack, stack.create(code % name)) for name in ("one", "two")]
    action = forward(*((group, 1) for group in groups))
    stickiness = {"Enabled": True, "DurationSeconds": 60}
    action["ForwardConfig"]["TargetGroupStickinessConfig"] = stickiness
    balancer = make_balancer(stack, action=action)
    made.append(balancer)

    seen = set()
    for _ in range(12):
        with requests.Session() as session:
            answers = {session.get(balancer.url, timeout=20).text for _ in range(5)}
            assert "AWSALBTG" in session.cookies
        assert len(answers) == 1
        seen |= answers

    assert seen == {"one", "two"}, "the first request of each client goes by weight"


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([{"Type": "authenticate-oidc"}, fixed("x")], "UnsupportedFeature"),
        ([fixed("x"), fixed("y")], "exactly one"),
    ],
)
def test_actions_that_are_not_served_are_refused(
    echo: Balancer, actions: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        echo.elb.modify_listener(ListenerArn=echo.listener, DefaultActions=actions)
    with pytest.raises(ClientError, match=message):
        echo.elb.create_rule(
            ListenerArn=echo.listener, Priority=1, Conditions=paths("/x"), Actions=actions
        )


def redirect(**config: str) -> dict[str, Any]:
    return {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_302", **config}}


def many(*groups: str, weight: int = 1, seconds: int | None = None) -> dict[str, Any]:
    action = forward(*((group, weight) for group in groups))
    if seconds is not None:
        sticky = {"Enabled": True, "DurationSeconds": seconds}
        action["ForwardConfig"]["TargetGroupStickinessConfig"] = sticky
    return action


ONE_HOST = {"Field": "host-header", "HostHeaderConfig": {"Values": ["a.example"]}}
SAME = {"Protocol": "#{protocol}", "Host": "#{host}", "Port": "#{port}", "Path": "/#{path}"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Priority": 0}, "from 1 to 50000"),
        ({"Priority": 50_001}, "from 1 to 50000"),
        ({"Conditions": []}, "A condition must be specified"),
        ({"Conditions": [ONE_HOST, ONE_HOST]}, "one 'host-header' condition"),
        ({"Conditions": paths("/1", "/2", "/3", "/4", "/5", "/6")}, "'5' condition values"),
        ({"Actions": [redirect()]}, "creates a loop"),
        ({"Actions": [redirect(Query="a=1")]}, "creates a loop"),
        ({"Actions": [redirect(**SAME)]}, "creates a loop"),
        ({"Actions": [redirect(StatusCode="HTTP_307", Path="/a")]}, "StatusCode"),
        ({"Actions": [redirect(Path="a")]}, "Path"),
        ({"Actions": [redirect(Protocol="FTP")]}, "Protocol"),
        ({"Actions": [redirect(Port="65536")]}, "Port"),
        ({"Actions": [redirect(Path="/a", Query="?b")]}, "Query"),
        ({"Actions": [fixed("x" * 1025)]}, "messageBody"),
        ({"Actions": [many("group", weight=1000)]}, "weight"),
        ({"Actions": [many("group", seconds=0)]}, "durationSeconds"),
        ({"Actions": [many(*["group"] * 6)]}, "targetGroups"),
    ],
)
def test_rules_that_aws_does_not_take_are_refused(
    echo: Balancer, change: dict[str, Any], reason: str
) -> None:
    for action in change.get("Actions", []):
        for one in action.get("ForwardConfig", {}).get("TargetGroups", []):
            one["TargetGroupArn"] = echo.target_group
    wanted = {"Priority": 7, "Conditions": paths("/refused"), "Actions": [fixed("x")], **change}

    with pytest.raises(ClientError) as refused:
        echo.elb.create_rule(ListenerArn=echo.listener, **wanted)

    assert reason in refused.value.response["Error"]["Message"]
    assert get(echo, "/refused").json()["path"] == "/refused"


def test_a_redirect_may_be_what_aws_takes(echo: Balancer) -> None:
    for config in ({"Protocol": "HTTPS", "Port": "443"}, {"Path": "/#{path}x"}, {"Host": "a.b"}):
        conditions = paths(f"/{secrets.token_hex(6)}")
        made = echo.elb.create_rule(
            ListenerArn=echo.listener,
            Priority=secrets.randbelow(50_000) + 1,
            Conditions=conditions,
            Actions=[redirect(**config, Query="#{query}")],
        )
        echo.elb.delete_rule(RuleArn=made["Rules"][0]["RuleArn"])


def test_conditions_that_cannot_be_read_are_refused(echo: Balancer) -> None:
    with pytest.raises(ClientError, match="'source-ip' is not valid"):
        echo.rule([{"Field": "source-ip", "SourceIpConfig": {"Values": ["nonsense"]}}])
    assert get(echo).status_code == 200


def test_the_default_rule_stays(echo: Balancer) -> None:
    rules = echo.elb.describe_rules(ListenerArn=echo.listener)["Rules"]

    with pytest.raises(ClientError, match="OperationNotPermitted"):
        echo.elb.delete_rule(RuleArn=rules[-1]["RuleArn"])
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        echo.elb.modify_rule(RuleArn=rules[-1]["RuleArn"], Actions=[fixed("x")])


# --- Health checks

SICK = """
import json, os, urllib.parse
def handler(event, context):
    print("user agent", event["headers"]["user-agent"])
    if event["headers"]["user-agent"] != "ELB-HealthChecker/2.0":
        return {"statusCode": 200, "body": "served"}
    assert event["path"] == "/health" and event["httpMethod"] == "GET"
    return {"statusCode": int(os.environ.get("STATUS", "204"))}
"""


def health_of(balancer: Balancer) -> dict[str, str]:
    answer = balancer.elb.describe_target_health(TargetGroupArn=balancer.target_group)
    (one,) = answer["TargetHealthDescriptions"]
    return dict(one["TargetHealth"])


def test_health_checks(stack: Stack, made: list[Balancer]) -> None:
    name = stack.create(SICK)
    group = make_group(
        stack,
        name,
        HealthCheckEnabled=True,
        HealthCheckPath="/health",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=4,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        Matcher={"HttpCode": "204"},
    )
    elb = stack.client("elbv2")
    unused = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert unused[0]["Target"] == {"Id": function_arn(name)}
    assert unused[0]["TargetHealth"]["Reason"] == "Target.NotInUse"
    balancer = make_balancer(stack, group)
    made.append(balancer)

    def becomes(state: str) -> dict[str, str]:
        def found() -> dict[str, str]:
            health = health_of(balancer)
            assert health["State"] == state, health
            return health

        return eventually(found)

    becomes("healthy")
    assert any("ELB-HealthChecker/2.0" in line for line in stack.messages(name, until="REPORT"))
    elb.modify_target_group(TargetGroupArn=group, Matcher={"HttpCode": "200-203"})
    health = becomes("unhealthy")
    assert health["Reason"] == "Target.ResponseCodeMismatch"
    assert health["Description"] == "Health checks failed with these codes: [204]"
    assert get(balancer).text == "served", "no other target is healthier"
    elb.modify_target_group(TargetGroupArn=group, Matcher={"HttpCode": "204"})
    becomes("healthy")
    elb.modify_target_group(TargetGroupArn=group, HealthCheckEnabled=False)
    assert health_of(balancer)["Reason"] == "Target.HealthCheckDisabled"


def test_without_health_checks_nothing_is_known(echo: Balancer) -> None:
    assert health_of(echo) == {
        "State": "unavailable",
        "Reason": "Target.HealthCheckDisabled",
        "Description": "Health checks are disabled for this target",
    }
    answer = echo.elb.describe_target_health(
        TargetGroupArn=echo.target_group, Targets=[{"Id": function_arn("other")}]
    )
    health = answer["TargetHealthDescriptions"][0]["TargetHealth"]
    assert health["Reason"] == "Target.NotRegistered"


# --- Ports and life cycle


def test_a_deleted_load_balancer_gives_its_port_back(stack: Stack) -> None:
    one = make_balancer(stack, action=fixed("one"))
    assert get(one).text == "one"

    one.elb.delete_load_balancer(LoadBalancerArn=one.arn)

    assert refused(one)
    two = make_balancer(stack, action=fixed("two"))
    assert (two.url, get(two).text) == (one.url, "two")
    two.elb.delete_listener(ListenerArn=two.listener)
    assert refused(two)
    two.elb.delete_load_balancer(LoadBalancerArn=two.arn)


def test_a_port_of_another_program_is_passed_over(stack: Stack, made: list[Balancer]) -> None:
    elb = stack.client("elbv2")
    balancer = elb.create_load_balancer(Name=random_name("lb"), Subnets=subnets(stack))
    arn, promised = (balancer["LoadBalancers"][0][k] for k in ("LoadBalancerArn", "DNSName"))
    with socket.create_server(("127.0.0.1", int(promised.partition(":")[2]))):
        listener = elb.create_listener(
            LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[fixed("here")]
        )["Listeners"][0]["ListenerArn"]
    found = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
    made.append(Balancer(elb, arn, listener, "", f"http://{found['DNSName']}"))

    assert found["DNSName"] != promised
    assert get(made[0]).text == "here"


def test_further_listeners_and_ports_of_the_range(
    stack: Stack, made: list[Balancer], first_port: int
) -> None:
    balancer = make_balancer(stack, action=fixed("first"))
    made.append(balancer)
    wanted = first_port + PORTS - 1
    second = balancer.elb.create_listener(
        LoadBalancerArn=balancer.arn,
        Protocol="HTTP",
        Port=wanted,
        DefaultActions=[fixed("second")],
    )["Listeners"][0]["ListenerArn"]

    assert get(balancer).text == "first"
    assert requests.get(f"http://localhost:{wanted}", timeout=60).text == "second"
    route = f"http://127.0.0.1:{stack.port}/_trigger_stack/load-balancers"
    addresses = {one["listenerArn"]: one for one in requests.get(route, timeout=60).json()}
    assert addresses[second]["address"] == f"http://localhost:{wanted}"
    assert addresses[balancer.listener]["address"] == balancer.url
    with pytest.raises(ClientError, match="DuplicateListener"):
        balancer.elb.create_listener(
            LoadBalancerArn=balancer.arn, Protocol="HTTP", Port=80, DefaultActions=[fixed("x")]
        )


def test_when_no_port_is_left_a_listener_is_not_made(stack: Stack, made: list[Balancer]) -> None:
    balancer = make_balancer(stack, action=fixed("first"))
    made.append(balancer)

    def listener(port: int) -> None:
        balancer.elb.create_listener(
            LoadBalancerArn=balancer.arn, Protocol="HTTP", Port=port, DefaultActions=[fixed("x")]
        )

    with pytest.raises(ClientError) as caught:
        for port in range(1000, 1000 + PORTS):
            listener(port)

    message = caught.value.response["Error"]["Message"]
    assert message.startswith("No port is left for the listener")
    assert "LOAD_BALANCER_PORTS" in message
    made_ones = balancer.elb.describe_listeners(LoadBalancerArn=balancer.arn)["Listeners"]
    assert 1 < len(made_ones) <= PORTS
    assert get(balancer).text == "first"


def test_many_are_made_at_a_time(stack: Stack, made: list[Balancer]) -> None:
    texts = [random_name("text") for _ in range(6)]

    with ThreadPoolExecutor(len(texts)) as pool:
        balancers = list(pool.map(lambda text: make_balancer(stack, action=fixed(text)), texts))
        made += balancers

    assert [get(balancer).text for balancer in balancers] == texts
    with ThreadPoolExecutor(len(texts)) as pool:
        rules = list(pool.map(lambda one: one.rule(paths("/a"), one.url), balancers))
    assert len(rules) == len(texts)
    assert [get(one, "/a").text for one in balancers] == [one.url for one in balancers]


def test_ports_that_are_no_range_end_the_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOAD_BALANCER_PORTS", "8081")
    process = start_emulator(tmp_path, free_port(), 0)
    try:
        assert process.wait(60) == 1
    finally:
        stop_emulator(process)
    log = (tmp_path / "log").read_text()
    assert "LOAD_BALANCER_PORTS=8081 is no range of ports such as 8081-8099" in log
    assert "Traceback" not in log


def test_attributes_of_a_load_balancer_change_its_requests(
    stack: Stack, made: list[Balancer]
) -> None:
    balancer = make_balancer(stack, make_group(stack, stack.create(ECHO)))
    made.append(balancer)
    balancer.elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer.arn,
        Attributes=[
            {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
            {"Key": "routing.http.xff_client_port.enabled", "Value": "true"},
        ],
    )

    headers = get(balancer, headers={"X_Under": "1", "X-Dash": "2"}).json()["headers"]

    assert "x_under" not in headers
    assert headers["x-dash"] == "2"
    address, _, port = headers["x-forwarded-for"].partition(":")
    assert (address, port.isdecimal()) == ("127.0.0.1", True)


def test_attributes_of_a_listener_change_its_responses(stack: Stack, made: list[Balancer]) -> None:
    balancer = make_balancer(stack, make_group(stack, stack.create(ECHO)))
    made.append(balancer)
    assert get(balancer).headers["server"] == "awselb/2.0"
    response = "routing.http.response"
    balancer.elb.modify_listener_attributes(
        ListenerArn=balancer.listener,
        Attributes=[
            {"Key": f"{response}.server.enabled", "Value": "false"},
            {"Key": f"{response}.x_frame_options.header_value", "Value": "DENY"},
            {"Key": f"{response}.strict_transport_security.header_value", "Value": "max-age=1"},
            {"Key": f"{response}.content_security_policy.header_value", "Value": ""},
        ],
    )

    headers = get(balancer).headers

    assert "server" not in headers
    assert headers["strict-transport-security"] == "max-age=1"
    assert headers["x-frame-options"] == "DENY"
    assert "content-security-policy" not in headers


def test_names_and_protection(stack: Stack, made: list[Balancer]) -> None:
    balancer = make_balancer(stack, action=fixed("x"))
    made.append(balancer)
    elb = balancer.elb
    found = elb.describe_load_balancers(LoadBalancerArns=[balancer.arn])["LoadBalancers"][0]
    name = found["LoadBalancerName"]
    assert found["Scheme"] == "internet-facing"

    again = elb.create_load_balancer(Name=name, Subnets=subnets(stack))["LoadBalancers"]
    assert [one["LoadBalancerArn"] for one in again] == [balancer.arn]
    with pytest.raises(ClientError, match="DuplicateLoadBalancerName"):
        elb.create_load_balancer(Name=name, Subnets=subnets(stack), Scheme="internal")
    protection = {"Key": "deletion_protection.enabled", "Value": "true"}
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer.arn, Attributes=[protection])
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        elb.delete_load_balancer(LoadBalancerArn=balancer.arn)
    protection["Value"] = "false"
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer.arn, Attributes=[protection])


def test_a_target_group_in_use_is_not_deleted(stack: Stack) -> None:
    group = make_group(stack, stack.create(ECHO))
    balancer = make_balancer(stack, group)
    elb = balancer.elb
    with pytest.raises(ClientError, match="ResourceInUse"):
        elb.delete_target_group(TargetGroupArn=group)

    elb.delete_load_balancer(LoadBalancerArn=balancer.arn)

    found = elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
    assert found.get("LoadBalancerArns", []) == []
    elb.delete_target_group(TargetGroupArn=group)


def test_a_new_engine_serves_the_same_ports(stack: Stack, echo: Balancer) -> None:
    before = engine(stack)
    kill(before)
    eventually(lambda: engine(stack).pid != before.pid)

    def answers() -> requests.Response:
        try:
            answer = get(echo)
        except requests.ConnectionError as error:
            raise AssertionError(error) from None
        assert answer.status_code == 200
        return answer

    assert eventually(answers).json()["path"] == "/"

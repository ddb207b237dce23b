"""Where events go, or what they go through, as ``resources`` have it: made, used, changed, gone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest
import requests

from bootstrap.services.base import Outcome
from tests.delivery.test_definition_properties import Project, resource
from tests.engine.lambda_stack import Stack, archive
from tests.support.waiting import eventually

Request = tuple[str, str, dict[str, str], bytes]


@pytest.fixture
def partner() -> Iterator[tuple[str, Queue[Request]]]:
    """An HTTP server: its address, and what it got."""
    got: Queue[Request] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.answer()

        def do_PUT(self) -> None:
            self.answer()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            got.put((self.command, self.path, dict(self.headers), body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Nothing: the test says what it saw when it fails."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()
    thread.join()


def policy(kind: str, place: dict[str, Any], action: str, principal: str, arn: Any) -> Any:
    """A policy of a queue or topic that lets a service send to it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": action,
        "Resource": arn,
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return resource(kind, PolicyDocument=document, **place)


def test_an_api_destination_and_its_connection(
    stack: Stack, tmp_path: Path, partner: tuple[str, Queue[Request]]
) -> None:
    project, events = Project(stack, tmp_path), stack.client("events")
    name, (url, got) = project.name, partner

    def described(secret: str, method: str, limit: int) -> dict[str, Any]:
        key = {"ApiKeyName": "x-key", "ApiKeyValue": secret}
        role = {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ]
        }
        return {
            "Connection": resource(
                "Events::Connection",
                Name=name,
                AuthorizationType="API_KEY",
                AuthParameters={"ApiKeyAuthParameters": key},
            ),
            "Partner": resource(
                "Events::ApiDestination",
                ConnectionArn={"Fn::GetAtt": ["Connection", "Arn"]},
                HttpMethod=method,
                InvocationEndpoint=f"{url}/orders",
                InvocationRateLimitPerSecond=limit,
            ),
            "Role": resource(
                "IAM::Role",
                RoleName=f"{name}-partner",
                AssumeRolePolicyDocument={"Version": "2012-10-17", **role},
                Policies=[
                    {
                        "PolicyName": "partner",
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": [
                                {
                                    "Effect": "Allow",
                                    "Action": "events:InvokeApiDestination",
                                    "Resource": {
                                        "Fn::Sub": "${Partner.ArnForPolicy}/*",
                                    },
                                }
                            ],
                        },
                    }
                ],
            ),
            "Rule": resource(
                "Events::Rule",
                Name=name,
                EventPattern={"source": [name]},
                Targets=[
                    {
                        "Id": "partner",
                        "Arn": {"Fn::GetAtt": ["Partner", "Arn"]},
                        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                        "HttpParameters": {"QueryStringParameters": {"of": "shop"}},
                    }
                ],
            ),
        }

    for secret, method, limit in (("first", "POST", 5), ("second", "PUT", 7)):
        outcomes = project.up(described(secret, method, limit)).outcomes
        wanted = Outcome.CREATED if secret == "first" else Outcome.CHANGED
        assert {outcomes["Connection"], outcomes["Partner"]} == {wanted}, outcomes
        events.put_events(Entries=[{"Source": name, "DetailType": "sold", "Detail": "{}"}])
        used, path, headers, body = got.get(timeout=30)
        assert (used, path, headers["x-key"]) == (method, "/orders?of=shop", secret)
        assert json.loads(body)["source"] == name

    events.update_api_destination(Name=f"{name}-Partner", HttpMethod="POST")  # drift
    outcomes = project.up(described("second", "PUT", 7)).outcomes
    assert (outcomes["Partner"], outcomes["Connection"]) == (Outcome.CHANGED, Outcome.UNCHANGED)

    project.up({})
    assert events.list_connections(NamePrefix=name)["Connections"] == []
    assert events.list_api_destinations(NamePrefix=name)["ApiDestinations"] == []


def test_a_bucket_tells_a_queue_a_topic_and_the_bus(stack: Stack, tmp_path: Path) -> None:
    project, s3, sqs = Project(stack, tmp_path), stack.client("s3"), stack.client("sqs")
    name = project.name

    def queue(of: str) -> dict[str, Any]:
        arn = {"Fn::GetAtt": [of, "Arn"]}
        return {
            of: resource("SQS::Queue", QueueName=f"{name}-{of}"),
            f"{of}Policy": policy(
                "SQS::QueuePolicy",
                {"Queues": [{"Ref": of}]},
                "sqs:SendMessage",
                {"Bus": "events.amazonaws.com", "Told": "sns.amazonaws.com"}.get(
                    of, "s3.amazonaws.com"
                ),
                arn,
            ),
        }

    def bucket(notifications: dict[str, Any]) -> dict[str, Any]:
        made = resource("S3::Bucket", BucketName=name, NotificationConfiguration=notifications)
        return {"Files": {**made, "DependsOn": ["DirectPolicy", "TopicPolicy"]}}

    rest: dict[str, Any] = {
        **queue("Direct"),
        **queue("Told"),
        **queue("Bus"),
        "Topic": resource("SNS::Topic", TopicName=name),
        "TopicPolicy": policy(
            "SNS::TopicPolicy",
            {"Topics": [{"Ref": "Topic"}]},
            "sns:Publish",
            "s3.amazonaws.com",
            {"Ref": "Topic"},
        ),
        "Subscribed": resource(
            "SNS::Subscription",
            TopicArn={"Ref": "Topic"},
            Protocol="sqs",
            Endpoint={"Fn::GetAtt": ["Told", "Arn"]},
            RawMessageDelivery=True,
        ),
        "Rule": resource(
            "Events::Rule",
            Name=name,
            EventPattern={"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}},
            Targets=[{"Id": "q", "Arn": {"Fn::GetAtt": ["Bus", "Arn"]}}],
        ),
    }

    def to(prefix: str) -> dict[str, Any]:
        rules = [{"Name": "prefix", "Value": prefix}]
        direct = {"Event": "s3:ObjectCreated:*", "Queue": {"Fn::GetAtt": ["Direct", "Arn"]}}
        return {
            "QueueConfigurations": [{**direct, "Filter": {"S3Key": {"Rules": rules}}}],
            "TopicConfigurations": [{"Event": "s3:ObjectRemoved:*", "Topic": {"Ref": "Topic"}}],
            "EventBridgeConfiguration": {"EventBridgeEnabled": True},
        }

    def received(of: str, text: str) -> str:
        url = sqs.get_queue_url(QueueName=f"{name}-{of}")["QueueUrl"]

        def found() -> str:
            for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                if text in message["Body"]:
                    return str(message["Body"])
            raise AssertionError(f"no message about {text} in {of}")

        return eventually(found)

    project.up(rest | bucket(to("in/")))
    s3.put_object(Bucket=name, Key="in/first", Body=b"1")
    assert "ObjectCreated:Put" in received("Direct", "first")
    assert "Object Created" in received("Bus", "first")

    # A prefix that overlaps the one before, which therefore goes first.
    assert project.up(rest | bucket(to("in"))).outcomes["Files"] is Outcome.CHANGED
    s3.put_object(Bucket=name, Key="in-second", Body=b"1")
    received("Direct", "in-second")
    s3.delete_object(Bucket=name, Key="in/first")
    assert "ObjectRemoved" in received("Told", "first")

    done = project.up(rest | bucket({}))
    left = s3.get_bucket_notification_configuration(Bucket=name)
    assert [key for key in left if key != "ResponseMetadata"] == [], (left, done.leftovers)
    project.up({})


def test_an_alias_and_a_permission_of_a_layer(stack: Stack, tmp_path: Path) -> None:
    project, client = Project(stack, tmp_path), stack.client("lambda")
    function = stack.create("def handler(event, context):\n    return context.function_version\n")
    for number in range(2):
        client.update_function_configuration(FunctionName=function, Description=str(number))
        client.get_waiter("function_updated_v2").wait(FunctionName=function)
        client.publish_version(FunctionName=function, Description=str(number))
    layer = client.publish_layer_version(
        LayerName=project.name, Content={"ZipFile": archive({"python/tool.py": ""})}
    )

    def described(version: str, principal: str, **others: Any) -> dict[str, Any]:
        return {
            "Live": resource(
                "Lambda::Alias",
                FunctionName=function,
                FunctionVersion=version,
                Name="live",
                **others,
            ),
            "Shared": resource(
                "Lambda::LayerVersionPermission",
                LayerVersionArn=layer["LayerVersionArn"],
                Action="lambda:GetLayerVersion",
                Principal=principal,
            ),
        }

    def answered() -> Any:
        return stack.invoke(function, {}, Qualifier="live").value

    def shared() -> list[Any]:
        answer = client.get_layer_version_policy(LayerName=project.name, VersionNumber=1)
        return [one["Principal"] for one in json.loads(answer["Policy"])["Statement"]]

    project.up(described("1", "*"))
    assert (answered(), shared()) == ("1", ["*"])
    provisioned = {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1}}
    outcomes = project.up(described("2", "*", **provisioned)).outcomes
    assert (outcomes["Live"], outcomes["Shared"]) == (Outcome.CHANGED, Outcome.UNCHANGED)
    assert answered() == "2"
    client.update_alias(FunctionName=function, Name="live", FunctionVersion="1")  # drift
    outcomes = project.up(described("2", "111111111111")).outcomes
    assert outcomes["Live"] is Outcome.CHANGED
    assert (answered(), len(shared())) == ("2", 1)
    project.up({})
    assert client.list_aliases(FunctionName=function)["Aliases"] == []
    with suppress(client.exceptions.ResourceNotFoundException):  # as AWS has it without any
        assert shared() == []


def test_subscriptions_by_mail_and_http(
    stack: Stack, tmp_path: Path, partner: tuple[str, Queue[Request]]
) -> None:
    project, sns = Project(stack, tmp_path), stack.client("sns")
    name, (url, got) = project.name, partner

    def described(retries: int | None) -> dict[str, Any]:
        policy = {"healthyRetryPolicy": {"numRetries": retries}}
        more = {} if retries is None else {"DeliveryPolicy": policy}
        topic = {"TopicArn": {"Ref": "Topic"}}
        mail = f"{secrets.token_hex(4)}@shop.example"
        return {
            "Topic": resource("SNS::Topic", TopicName=name),
            "Mail": resource("SNS::Subscription", **topic, Protocol="email", Endpoint=mail),
            "Http": resource(
                "SNS::Subscription", **topic, Protocol="http", Endpoint=f"{url}/in", **more
            ),
        }

    project.up(described(3))
    arn = f"arn:aws:sns:us-east-1:000000000000:{name}"

    def subscribed() -> dict[str, str]:
        listed = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
        return {one["Protocol"]: one["SubscriptionArn"] for one in listed}

    _, _, _, body = got.get(timeout=30)
    assert json.loads(body)["Type"] == "SubscriptionConfirmation"
    sns.confirm_subscription(TopicArn=arn, Token=json.loads(body)["Token"])
    for retries in (5, None):
        assert project.up(described(retries)).outcomes["Http"] is Outcome.CHANGED
        attributes = sns.get_subscription_attributes(SubscriptionArn=subscribed()["http"])
        given = json.loads(attributes["Attributes"].get("DeliveryPolicy") or "{}")
        assert given.get("healthyRetryPolicy", {}).get("numRetries") == retries
    assert subscribed().keys() == {"email", "http"}
    sns.publish(TopicArn=arn, Message="sold")
    assert json.loads(got.get(timeout=30)[3])["Message"] == "sold"
    project.up({"Topic": described(None)["Topic"]})
    assert subscribed() == {}
    project.up({})


def test_a_route_that_asks_for_a_signature(stack: Stack, tmp_path: Path) -> None:
    project, gateway = Project(stack, tmp_path), stack.client("apigatewayv2")
    function = stack.create("def handler(event, context):\n    return {'statusCode': 204}\n")
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
    stack.client("lambda").add_permission(
        FunctionName=function,
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    api = {"ApiId": {"Ref": "Api"}}
    kind = "ApiGatewayV2::"
    described = {
        "Api": resource(f"{kind}Api", Name=project.name, ProtocolType="HTTP"),
        "Stage": resource(f"{kind}Stage", **api, StageName="$default", AutoDeploy=True),
        "Proxy": resource(
            f"{kind}Integration",
            **api,
            IntegrationType="AWS_PROXY",
            IntegrationUri=arn,
            PayloadFormatVersion="2.0",
        ),
    }

    def route(authorization: str) -> dict[str, Any]:
        target = {"Fn::Join": ["/", ["integrations", {"Ref": "Proxy"}]]}
        given = {"AuthorizationType": authorization, "Target": target}
        return {"Route": resource(f"{kind}Route", **api, RouteKey="GET /", **given)}

    def status() -> int:
        (found,) = (one for one in gateway.get_apis()["Items"] if one["Name"] == project.name)
        address = f"http://127.0.0.1:{stack.http_port}/_aws/execute-api/{found['ApiId']}/"
        return requests.get(address, timeout=30).status_code

    for authorization, answered in (("NONE", 204), ("AWS_IAM", 403), ("NONE", 204)):
        project.up(described | route(authorization))
        assert eventually(lambda wanted=answered: status() == wanted)
    project.up({})

"""CloudFormation stacks: what they make works, and what cannot be made is refused by name."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.delivery.stacks import PRINT, Stacks, function
from tests.engine.lambda_stack import ROLE, Stack
from tests.support.waiting import eventually

#: Answers as its properties say, and prints what it was asked.
CUSTOM = """
import json, urllib.request

def handler(event, context):
    properties = event["ResourceProperties"]
    print("ASKED " + json.dumps(event))
    if properties.get("Raise") == event["RequestType"]:
        raise RuntimeError("no answer")
    answer = {
        "Status": "FAILED" if properties.get("Fail") == event["RequestType"] else "SUCCESS",
        "Reason": "it is as it is",
        "PhysicalResourceId": properties.get("Id") or "thing-1",
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Answer": "forty-two"},
    }
    request = urllib.request.Request(
        event["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request).close()
"""
ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": "from a stack"}
"""


@pytest.fixture
def stacks(stack: Stack) -> Iterator[Stacks]:
    made = Stacks(stack)
    yield made
    made.delete()


def custom(**properties: Any) -> dict[str, Any]:
    return {
        "Function": function(CUSTOM),
        "Thing": {
            "Type": "Custom::Thing",
            "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, **properties},
        },
    }


def asked(stack: Stack, name: str, count: int) -> list[dict[str, Any]]:
    """What the function of a custom resource was asked so far, in the order of time.

    On a busy machine a second environment answers, which has a log stream of its own.
    """
    stack.messages(name, until="ASKED", count=count)
    events = sorted(stack.log_events(name), key=lambda event: event["timestamp"])
    lines = [event["message"] for event in events]
    return [json.loads(line[6:]) for line in lines if line.startswith("ASKED")]


OUTPUTS = {
    "Name": {"Ref": "Function"},
    "Thing": {"Ref": "Thing"},
    "Answer": {"Fn::GetAtt": ["Thing", "Answer"]},
}


# --- Custom resources


def test_a_custom_resource_asks_its_function(stack: Stack, stacks: Stacks) -> None:
    outputs = stacks.deploy(custom(Count=3, On=True, List=[1]), **OUTPUTS)

    assert (outputs["Thing"], outputs["Answer"]) == ("thing-1", "forty-two")
    (event,) = asked(stack, outputs["Name"], 1)
    assert event["RequestType"] == "Create"
    assert event["ResourceType"] == "Custom::Thing"
    assert event["LogicalResourceId"] == "Thing"
    assert "PhysicalResourceId" not in event
    properties = event["ResourceProperties"]
    assert (properties["Count"], properties["On"], properties["List"]) == ("3", "true", ["1"])


def test_a_change_is_an_update_with_the_old_properties(stack: Stack, stacks: Stacks) -> None:
    stacks.deploy(custom(Size="1"), **OUTPUTS)
    outputs = stacks.deploy(custom(Size="2"), **OUTPUTS)

    event = asked(stack, outputs["Name"], 2)[-1]
    assert event["RequestType"] == "Update"
    assert event["PhysicalResourceId"] == "thing-1"
    assert event["ResourceProperties"]["Size"] == "2"
    assert event["OldResourceProperties"]["Size"] == "1"


def test_a_new_id_deletes_the_old_one(stack: Stack, stacks: Stacks) -> None:
    stacks.deploy(custom(Id="a"), **OUTPUTS)
    outputs = stacks.deploy(custom(Id="b"), **OUTPUTS)

    assert outputs["Thing"] == "b"
    events = asked(stack, outputs["Name"], 3)
    assert [(one["RequestType"], one.get("PhysicalResourceId")) for one in events] == [
        ("Create", None),
        ("Update", "a"),
        ("Delete", "a"),
    ]


def test_the_end_of_a_stack_is_a_delete(stack: Stack) -> None:
    stacks = Stacks(stack)
    outputs = stacks.deploy(custom(), **OUTPUTS)
    stacks.delete()

    event = asked(stack, outputs["Name"], 2)[-1]
    assert (event["RequestType"], event["PhysicalResourceId"]) == ("Delete", "thing-1")


def test_a_refusal_fails_the_stack_with_its_reason(stacks: Stacks) -> None:
    with pytest.raises(AssertionError, match="it is as it is"):
        stacks.deploy(custom(Fail="Create"))


def test_no_answer_fails_the_stack_in_time(stacks: Stacks) -> None:
    """The time holds for its deletion, too: it is long enough for a new environment."""
    with pytest.raises(AssertionError, match="did not answer within 5 seconds"):
        stacks.deploy(custom(Raise="Create", ServiceTimeout=5))


def test_an_answer_that_nobody_waits_for_is_404(stack: Stack, stacks: Stacks) -> None:
    stacks.deploy(custom())
    url = f"http://127.0.0.1:{stack.port}/_trigger_stack/custom-resources/nobody"
    assert requests.put(url, data="{}", timeout=60).status_code == 404


NODE = """
const https = require("https"), url = require("url");
exports.handler = (event) => new Promise((resolve, reject) => {
  const body = JSON.stringify({Status: "SUCCESS", PhysicalResourceId: "made-by-node"});
  const {hostname, path} = url.parse(event.ResponseURL);
  const request = https.request({hostname, port: 443, path, method: "PUT",
    headers: {"content-type": "", "content-length": Buffer.byteLength(body)}}, () => resolve());
  request.on("error", reject);
  request.end(body);
});
"""


def test_a_node_function_answers_as_on_aws(stacks: Stacks) -> None:
    """Its code takes https and port 443 for granted, as that of the CDK does."""
    resources = custom()
    resources["Function"]["Properties"] |= {"Runtime": "nodejs20.x", "Code": {"ZipFile": NODE}}
    assert stacks.deploy(resources, Thing={"Ref": "Thing"})["Thing"] == "made-by-node"


# --- Descriptions


def test_a_deleted_stack_is_found_by_its_arn_only(stack: Stack) -> None:
    stacks = Stacks(stack)
    stacks.deploy({"Queue": {"Type": "AWS::SQS::Queue"}})
    listed = {one["StackName"]: one["StackId"] for one in stacks.api.describe_stacks()["Stacks"]}
    arn = listed[stacks.name]
    stacks.delete()

    names = {one["StackName"] for one in stacks.api.describe_stacks()["Stacks"]}
    assert stacks.name not in names
    (gone,) = stacks.api.describe_stacks(StackName=arn)["Stacks"]
    assert gone["StackStatus"] == "DELETE_COMPLETE"


@pytest.mark.parametrize("operation", ["describe_stacks", "describe_stack_events", "get_template"])
def test_the_arn_of_no_stack_is_refused(stack: Stack, operation: str) -> None:
    arn = "arn:aws:cloudformation:us-east-1:000000000000:stack/nobody/0a1b2c3d"

    with pytest.raises(ClientError) as caught:
        getattr(Stacks(stack).api, operation)(StackName=arn)

    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert "does not exist" in str(caught.value)


# --- Types


def test_a_resource_gets_its_first_property(stack: Stack, stacks: Stacks) -> None:
    stacks.deploy({"Bucket": {"Type": "AWS::S3::Bucket"}}, Name={"Ref": "Bucket"})
    tagged = {"Tags": [{"Key": "a", "Value": "b"}]}
    changed = {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": tagged}}

    name = stacks.deploy(changed, Name={"Ref": "Bucket"})["Name"]

    assert stack.client("s3").get_bucket_tagging(Bucket=name)["TagSet"] == tagged["Tags"]


def test_a_type_that_cannot_be_made_fails_by_name(stacks: Stacks) -> None:
    resources = {"Cluster": {"Type": "AWS::ECS::Cluster"}}
    with pytest.raises((AssertionError, ClientError), match="AWS::ECS::Cluster"):
        stacks.deploy(resources)


def http_api(**route: Any) -> dict[str, Any]:
    api = {"ApiId": {"Ref": "Api"}}
    permission = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "Function"},
        "Principal": "apigateway.amazonaws.com",
    }
    integration = {
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": {"Fn::GetAtt": ["Function", "Arn"]},
        "PayloadFormatVersion": "2.0",
    }
    target = {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]}
    return {
        "Function": function(ECHO),
        "MayCall": {"Type": "AWS::Lambda::Permission", "Properties": permission},
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Name": "shop", "ProtocolType": "HTTP", "Tags": {"a": "b"}},
        },
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {**api, "StageName": "$default", "AutoDeploy": True},
        },
        "Integration": {"Type": "AWS::ApiGatewayV2::Integration", "Properties": api | integration},
        "Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {**api, "RouteKey": "GET /one", "Target": target, **route},
        },
    }


API = {"Url": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}, "Id": {"Ref": "Api"}}


def test_an_http_api_answers_and_can_be_changed(stack: Stack, stacks: Stacks) -> None:
    url = stacks.deploy(http_api(), **API)["Url"]
    assert requests.get(f"{url}/one", timeout=60).text == "from a stack"

    changed = stacks.deploy(http_api(RouteKey="GET /two"), **API)

    assert changed["Url"] == url
    assert requests.get(f"{url}/one", timeout=60).status_code == 404
    assert requests.get(f"{url}/two", timeout=60).text == "from a stack"


def test_an_http_api_from_openapi(stack: Stack, stacks: Stacks) -> None:
    resources = http_api()
    uri = {"Fn::GetAtt": ["Function", "Arn"]}
    operation = {
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": uri,
            "payloadFormatVersion": "2.0",
        }
    }
    body = {
        "openapi": "3.0.1",
        "info": {"title": "shop", "version": "1"},
        "paths": {"/three": {"get": operation}},
    }
    resources["Api"]["Properties"] = {"Body": body}
    for name in ("Integration", "Route"):
        del resources[name]

    url = stacks.deploy(resources, **API)["Url"]

    assert requests.get(f"{url}/three", timeout=60).text == "from a stack"


def test_a_property_that_cannot_be_set_fails_by_name(stacks: Stacks) -> None:
    with pytest.raises(AssertionError, match="Colour"):
        stacks.deploy(http_api(Colour="red"))


def test_a_deleted_stack_takes_its_api_along(stack: Stack) -> None:
    stacks = Stacks(stack)
    identifier = stacks.deploy(http_api(), **API)["Id"]
    stacks.delete()
    with pytest.raises(ClientError, match="NotFound"):
        stack.client("apigatewayv2").get_api(ApiId=identifier)


def test_a_load_balancer_answers(stack: Stack, stacks: Stacks) -> None:
    ec2 = stack.client("ec2")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"][:2]]
    function_arn = {"Fn::GetAtt": ["Function", "Arn"]}
    permission = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": function_arn,
        "Principal": "elasticloadbalancing.amazonaws.com",
    }
    forward = [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}]
    not_found = [
        {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}},
    ]
    elb = "AWS::ElasticLoadBalancingV2::"
    resources = {
        "Function": function(ECHO),
        "MayCall": {"Type": "AWS::Lambda::Permission", "Properties": permission},
        "Balancer": {"Type": f"{elb}LoadBalancer", "Properties": {"Subnets": subnets}},
        "Group": {
            "Type": f"{elb}TargetGroup",
            "DependsOn": "MayCall",
            "Properties": {"TargetType": "lambda", "Targets": [{"Id": function_arn}]},
        },
        "Listener": {
            "Type": f"{elb}Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "Balancer"},
                "Port": 80,
                "Protocol": "HTTP",
                "DefaultActions": not_found,
            },
        },
        "Rule": {
            "Type": f"{elb}ListenerRule",
            "Properties": {
                "ListenerArn": {"Ref": "Listener"},
                "Priority": 1,
                "Conditions": [{"Field": "path-pattern", "Values": ["/shop/*"]}],
                "Actions": forward,
            },
        },
    }

    host = stacks.deploy(resources, Host={"Fn::GetAtt": ["Balancer", "DNSName"]})["Host"]

    def served() -> bool:
        assert requests.get(f"http://{host}/shop/a", timeout=60).text == "from a stack"
        return True

    eventually(served)
    assert requests.get(f"http://{host}/other", timeout=60).status_code == 404


# --- Changes that LocalStack would only say it made


def test_a_change_that_cannot_be_made_fails_by_name(stacks: Stacks) -> None:
    def key(description: str) -> dict[str, Any]:
        policy = {"Version": "2012-10-17", "Statement": []}
        properties = {"Description": description, "KeyPolicy": policy}
        return {"Key": {"Type": "AWS::KMS::Key", "Properties": properties}}

    with_queue = {"Queue": {"Type": "AWS::SQS::Queue"}}
    stacks.deploy(key("one") | with_queue)
    with pytest.raises(AssertionError, match=r"AWS::KMS::Key cannot be changed .* \(Description\)"):
        stacks.deploy(key("two") | with_queue)

    assert {one["LogicalResourceId"] for one in stacks.resources()} == {"Key", "Queue"}
    assert stacks.deploy(key("one") | with_queue, Queue={"Ref": "Queue"})["Queue"]


def seen(stack: Stack, name: str, text: str) -> list[str]:
    """The function's log once it has ``text``."""
    return stack.messages(name, until=text)


def test_a_bucket_gets_a_notification_later(stack: Stack, stacks: Stacks) -> None:
    permission = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "Function"},
        "Principal": "s3.amazonaws.com",
    }
    resources = {
        "Function": function(PRINT),
        "MayCall": {"Type": "AWS::Lambda::Permission", "Properties": permission},
        "Bucket": {"Type": "AWS::S3::Bucket", "DependsOn": "MayCall"},
    }
    outputs = {"Bucket": {"Ref": "Bucket"}, "Name": {"Ref": "Function"}}
    stacks.deploy(resources, **outputs)
    notification = {
        "Event": "s3:ObjectCreated:*",
        "Function": {"Fn::GetAtt": ["Function", "Arn"]},
    }
    changed = {"NotificationConfiguration": {"LambdaConfigurations": [notification]}}
    resources["Bucket"]["Properties"] = changed

    made = stacks.deploy(resources, **outputs)
    s3 = stack.client("s3")
    s3.put_object(Bucket=made["Bucket"], Key="later", Body=b"x")

    assert seen(stack, made["Name"], '"later"')
    s3.delete_object(Bucket=made["Bucket"], Key="later")
    del resources["Bucket"]["Properties"]
    stacks.deploy(resources, **outputs)
    left = s3.get_bucket_notification_configuration(Bucket=made["Bucket"])
    assert "LambdaFunctionConfigurations" not in left


def test_a_rule_gets_another_pattern_and_loses_a_target(stack: Stack, stacks: Stacks) -> None:
    queues = {name: {"Type": "AWS::SQS::Queue"} for name in ("One", "Two")}

    def rule(source: str, *targets: str) -> dict[str, Any]:
        return queues | {
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "EventPattern": {"source": [source]},
                    "Targets": [
                        {"Id": name, "Arn": {"Fn::GetAtt": [name, "Arn"]}} for name in targets
                    ],
                },
            }
        }

    name = {"Rule": {"Ref": "Rule"}}
    stacks.deploy(rule("a", "One", "Two"), **name)
    made = stacks.deploy(rule("b", "One"), **name)["Rule"]

    events = stack.client("events")
    assert json.loads(events.describe_rule(Name=made)["EventPattern"]) == {"source": ["b"]}
    assert [one["Id"] for one in events.list_targets_by_rule(Rule=made)["Targets"]] == ["One"]


def test_a_stage_serves_another_deployment(stack: Stack, stacks: Stacks) -> None:
    def resources(*paths: str) -> dict[str, Any]:
        rest = {"RestApiId": {"Ref": "Api"}}
        made: dict[str, Any] = {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "shop"}},
            "Stage": {
                "Type": "AWS::ApiGateway::Stage",
                "Properties": {
                    **rest,
                    "StageName": "live",
                    "DeploymentId": {"Ref": f"Deployment{len(paths)}"},
                },
            },
            f"Deployment{len(paths)}": {
                "Type": "AWS::ApiGateway::Deployment",
                "DependsOn": [f"{path}Method" for path in paths],
                "Properties": rest,
            },
        }
        for path in paths:
            made[path] = {
                "Type": "AWS::ApiGateway::Resource",
                "Properties": {
                    **rest,
                    "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                    "PathPart": path,
                },
            }
            made[f"{path}Method"] = {
                "Type": "AWS::ApiGateway::Method",
                "Properties": {
                    **rest,
                    "ResourceId": {"Ref": path},
                    "HttpMethod": "GET",
                    "AuthorizationType": "NONE",
                    "Integration": {
                        "Type": "MOCK",
                        "RequestTemplates": {"application/json": '{"statusCode": 200}'},
                        "IntegrationResponses": [{"StatusCode": "200"}],
                    },
                    "MethodResponses": [{"StatusCode": "200"}],
                },
            }
        return made

    url = {"Url": {"Fn::Sub": "https://${Api}.execute-api.us-east-1.amazonaws.com/live"}}
    first = stacks.deploy(resources("one"), **url)["Url"]
    assert requests.get(f"{first}/one", timeout=60).status_code == 200
    assert requests.get(f"{first}/two", timeout=60).status_code == 403

    stacks.deploy(resources("one", "two"), **url)

    assert requests.get(f"{first}/two", timeout=60).status_code == 200


def test_other_changes(stack: Stack, stacks: Stacks) -> None:
    """A log group, a stream, a function URL and a schedule."""
    role = stack.role(f"{ROLE}-scheduler", "scheduler.amazonaws.com")

    def resources(days: int, shards: int, auth: str, rate: int) -> dict[str, Any]:
        arn = {"Fn::GetAtt": ["Function", "Arn"]}
        schedule = {
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ScheduleExpression": f"rate({rate} hours)",
            "Target": {"Arn": arn, "RoleArn": role},
        }
        return {
            "Function": function(PRINT),
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": days}},
            "Stream": {
                "Type": "AWS::Kinesis::Stream",
                "Properties": {
                    "ShardCount": shards,
                    "StreamModeDetails": {"StreamMode": "PROVISIONED"},
                },
            },
            "Url": {
                "Type": "AWS::Lambda::Url",
                "Properties": {"TargetFunctionArn": arn, "AuthType": auth},
            },
            "Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": schedule},
        }

    names = {name: {"Ref": name} for name in ("Function", "Logs", "Stream", "Schedule")}
    stacks.deploy(resources(1, 1, "NONE", 2), **names)
    made = stacks.deploy(resources(7, 2, "AWS_IAM", 3), **names)

    groups = stack.client("logs").describe_log_groups(logGroupNamePrefix=made["Logs"])
    assert groups["logGroups"][0]["retentionInDays"] == 7
    summary = stack.client("kinesis").describe_stream_summary(StreamName=made["Stream"])
    assert summary["StreamDescriptionSummary"]["OpenShardCount"] == 2
    url = stack.client("lambda").get_function_url_config(FunctionName=made["Function"])
    assert url["AuthType"] == "AWS_IAM"
    schedule = stack.client("scheduler").get_schedule(Name=made["Schedule"])
    assert schedule["ScheduleExpression"] == "rate(3 hours)"


# --- What LocalStack's types leave out


def test_two_filters_of_a_log_group_both_fire(stack: Stack, stacks: Stacks) -> None:
    """By one name for both, the second would take the place of the first."""

    def filtered(*names: str) -> dict[str, Any]:
        made: dict[str, Any] = {"Lines": {"Type": "AWS::Logs::LogGroup"}}
        for name in names:
            arn = {"Fn::GetAtt": [name, "Arn"]}
            permission = {
                "Action": "lambda:InvokeFunction",
                "FunctionName": arn,
                "Principal": "logs.amazonaws.com",
                "SourceAccount": "000000000000",
            }
            made |= {
                name: function(PRINT),
                f"{name}MayBeCalled": {"Type": "AWS::Lambda::Permission", "Properties": permission},
                f"{name}Filter": {
                    "Type": "AWS::Logs::SubscriptionFilter",
                    "DependsOn": f"{name}MayBeCalled",
                    "Properties": {
                        "LogGroupName": {"Ref": "Lines"},
                        "FilterPattern": "",
                        "DestinationArn": arn,
                    },
                },
            }
        return made

    names = {name: {"Ref": name} for name in ("One", "Two", "Lines")}
    made = stacks.deploy(filtered("One", "Two"), **names)
    logs = stack.client("logs")
    logs.create_log_stream(logGroupName=made["Lines"], logStreamName="s")
    line = {"timestamp": int(time.time() * 1000), "message": "a line"}
    logs.put_log_events(logGroupName=made["Lines"], logStreamName="s", logEvents=[line])

    assert seen(stack, made["One"], "awslogs")
    assert seen(stack, made["Two"], "awslogs")
    policy = stack.client("lambda").get_policy(FunctionName=made["One"])["Policy"]
    (statement,) = json.loads(policy)["Statement"]
    assert statement["Condition"] == {"StringEquals": {"AWS:SourceAccount": "000000000000"}}

    stacks.deploy(filtered("One"), One={"Ref": "One"})
    left = logs.describe_subscription_filters(logGroupName=made["Lines"])["subscriptionFilters"]
    assert [one["destinationArn"].rpartition(":")[2] for one in left] == [made["One"]]


def test_what_an_update_adds_goes_with_the_stack(stack: Stack, stacks: Stacks) -> None:
    """And what it removes is not removed once more: that would fail."""
    first = stacks.deploy({"One": function(PRINT)}, One={"Ref": "One"})
    second = stacks.deploy({"Two": function(PRINT)}, Two={"Ref": "Two"})
    stacks.delete()

    functions = stack.client("lambda")
    for name in (first["One"], second["Two"]):
        with pytest.raises(functions.exceptions.ResourceNotFoundException):
            functions.get_function(FunctionName=name)
    unexpected = [line for line in stack.log.splitlines() if "Unexpected error" in line]
    assert not [line for line in unexpected if "'FunctionName'" in line], unexpected


@pytest.mark.parametrize("by_change_set", [False, True], ids=["UpdateStack", "ExecuteChangeSet"])
def test_a_failed_update_forgets_and_removes_nothing(
    stack: Stack, stacks: Stacks, by_change_set: bool
) -> None:
    """What it made goes with the stack; what its template has no longer stays until one works."""
    stacks.by_change_set = by_change_set
    lines = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}}
    kept, old = {"Type": "AWS::SQS::Queue"}, {"Type": "AWS::SQS::Queue"}
    names = {name: {"Ref": name} for name in ("Kept", "Old", "Lines")}
    first = stacks.deploy({"Kept": kept, "Old": old, "Lines": lines}, **names)
    impossible = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "DependsOn": ["New", "Kept", "Lines"],
        "Properties": {
            "FunctionName": {"Ref": "New"},
            "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:not-there",
        },
    }
    longer = lines | {"Properties": {"RetentionInDays": 14}}
    wanted = {"Kept": kept, "Lines": longer, "New": function(PRINT)}

    with pytest.raises(AssertionError, match="queue does not exist"):
        stacks.deploy(wanted | {"Impossible": impossible})

    there = stacks.physical_ids()
    assert there.keys() == {"Kept", "Old", "Lines", "New"}
    queues, functions, logs = (stack.client(name) for name in ("sqs", "lambda", "logs"))
    assert queues.get_queue_attributes(QueueUrl=first["Old"])

    # The same without what failed makes nothing a second time, and removes what it has no longer.
    made = stacks.deploy(wanted, New={"Ref": "New"}, Kept={"Ref": "Kept"})
    assert made == {"New": there["New"], "Kept": first["Kept"]}
    with pytest.raises(queues.exceptions.QueueDoesNotExist):
        queues.get_queue_attributes(QueueUrl=first["Old"])

    with pytest.raises(AssertionError, match="queue does not exist"):
        other = function(PRINT)
        stacks.deploy(wanted | {"Other": other, "Impossible": impossible | {"DependsOn": "Other"}})
    there = stacks.physical_ids()
    stacks.delete()
    for name in (there["New"], there["Other"]):
        with pytest.raises(functions.exceptions.ResourceNotFoundException):
            functions.get_function(FunctionName=name)
    assert not logs.describe_log_groups(logGroupNamePrefix=first["Lines"])["logGroups"]


@pytest.mark.parametrize("then", ["back", "on", "delete"])
def test_a_failed_update_keeps_what_it_replaced(stack: Stack, stacks: Stacks, then: str) -> None:
    """A queue with its messages, until an update works or the stack is deleted."""
    queues, old, new = stack.client("sqs"), *(f"q-{secrets.token_hex(6)}" for _ in range(2))

    def named(name: str, **others: Any) -> dict[str, str]:
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}
        return stacks.deploy({"Queue": queue, **others}, Url={"Ref": "Queue"})

    def is_there(name: str) -> bool:
        return bool(queues.list_queues(QueueNamePrefix=name).get("QueueUrls"))

    url = named(old)["Url"]
    queues.send_message(QueueUrl=url, MessageBody="a message")
    impossible = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "DependsOn": "Queue",
        "Properties": {
            "FunctionName": "not-there",
            "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:not-there",
        },
    }
    with pytest.raises(AssertionError, match="Function does not exist"):
        named(new, Impossible=impossible)

    assert stacks.physical_ids()["Queue"].endswith(new)
    if then == "delete":
        stacks.delete()
        assert (is_there(old), is_there(new)) == (False, False)
        return
    (message,) = queues.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    assert message["Body"] == "a message"
    named(old if then == "back" else new, Other={"Type": "AWS::SQS::Queue"})
    assert (is_there(old), is_there(new)) == (then == "back", then == "on")
    if then == "back":
        assert queues.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]


def test_a_change_that_failed_can_be_taken_back(stack: Stack, stacks: Stacks) -> None:
    """A resource that could not be changed does not let the next update fail."""
    good = function(PRINT)
    first = stacks.deploy({"One": good}, One={"Ref": "One"})
    bad = function(PRINT)
    bad["Properties"]["MemorySize"] = 1
    with pytest.raises(AssertionError, match=r"(?i)memory"):
        stacks.deploy({"One": bad})

    made = stacks.deploy(
        {"One": good, "Two": {"Type": "AWS::SQS::Queue"}}, One={"Ref": "One"}, Two={"Ref": "Two"}
    )

    assert made["One"] == first["One"]
    config = stack.client("lambda").get_function_configuration(FunctionName=made["One"])
    assert config["MemorySize"] == 128


def test_what_a_template_has_no_longer_is_unset(stack: Stack, stacks: Stacks) -> None:
    """A filter that stayed would go on to leave events out."""

    def resources(**filtered: Any) -> dict[str, Any]:
        sns = {"TopicArn": {"Ref": "Topic"}, "Protocol": "sqs"}
        made = {
            "Function": function(PRINT),
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": f"{len(filtered)}"}},
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                    "FunctionName": {"Ref": "Function"},
                    **filtered.get("mapping", {}),
                },
            },
            "Subscription": {
                "Type": "AWS::SNS::Subscription",
                "Properties": {
                    **sns,
                    "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
                    **filtered.get("subscription", {}),
                },
            },
        }
        made["Function"]["Properties"] |= filtered.get("function", {})
        return made

    names = {name: {"Ref": name} for name in ("Function", "Mapping", "Subscription", "Topic")}
    pattern = json.dumps({"body": {"kind": ["none"]}})
    first = stacks.deploy(
        resources(
            mapping={"FilterCriteria": {"Filters": [{"Pattern": pattern}]}},
            subscription={"FilterPolicy": {"kind": ["none"]}, "RawMessageDelivery": True},
            function={
                "ReservedConcurrentExecutions": 3,
                "Environment": {"Variables": {"STAGE": "b"}},
                "EphemeralStorage": {"Size": 1024},
            },
        ),
        **names,
    )
    functions = stack.client("lambda")
    limit = functions.get_function_concurrency(FunctionName=first["Function"])
    assert limit["ReservedConcurrentExecutions"] == 3
    config = functions.get_function_configuration(FunctionName=first["Function"])
    assert config["EphemeralStorage"] == {"Size": 1024}

    made = stacks.deploy(resources(), **names)

    assert made == first, "nothing was replaced"
    mapping = functions.get_event_source_mapping(UUID=made["Mapping"])
    assert mapping.get("FilterCriteria", {}).get("Filters", []) == []
    of_topic = stack.client("sns").get_subscription_attributes(SubscriptionArn=made["Subscription"])
    assert of_topic["Attributes"].get("FilterPolicy", "{}") == "{}"
    assert of_topic["Attributes"]["RawMessageDelivery"] == "false"
    limit = functions.get_function_concurrency(FunctionName=made["Function"])
    assert "ReservedConcurrentExecutions" not in limit
    config = functions.get_function_configuration(FunctionName=made["Function"])
    assert not config.get("Environment", {}).get("Variables")
    assert config["EphemeralStorage"] == {"Size": 512}


def test_retention_is_set_from_the_beginning(stack: Stack, stacks: Stacks) -> None:
    mode = {"ShardCount": 1, "StreamModeDetails": {"StreamMode": "PROVISIONED"}}
    resources = {
        "Lines": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
        "Stream": {
            "Type": "AWS::Kinesis::Stream",
            "Properties": {"RetentionPeriodHours": 48, **mode},
        },
    }
    made = stacks.deploy(resources, Lines={"Ref": "Lines"}, Stream={"Ref": "Stream"})

    groups = stack.client("logs").describe_log_groups(logGroupNamePrefix=made["Lines"])
    assert groups["logGroups"][0]["retentionInDays"] == 7
    summary = stack.client("kinesis").describe_stream_summary(StreamName=made["Stream"])
    assert summary["StreamDescriptionSummary"]["RetentionPeriodHours"] == 48


@pytest.mark.parametrize(
    "source",
    [
        {"EventSourceArn": "arn:aws:kafka:us-east-1:000000000000:cluster/c/1", "Topics": ["t"]},
        {"EventSourceArn": "arn:aws:mq:us-east-1:000000000000:broker:b:1", "Queues": ["q"]},
    ],
)
def test_a_source_that_nobody_reads_fails_by_name(
    stack: Stack, stacks: Stacks, source: dict[str, Any]
) -> None:
    resources = {
        "Function": function(PRINT),
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"FunctionName": {"Ref": "Function"}, **source},
        },
    }
    with pytest.raises(AssertionError, match=r"This stack reads no events from (kafka|mq)"):
        stacks.deploy(resources)
    mappings = stack.client("lambda").list_event_source_mappings(
        EventSourceArn=source["EventSourceArn"]
    )
    assert mappings["EventSourceMappings"] == []

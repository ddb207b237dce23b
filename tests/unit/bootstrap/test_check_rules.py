"""Each rule of ``check``: a definition that breaks it, at the marked line, and one that does not.

A case has parts of a definition: ``greet`` (keys of the function), ``more`` (other functions),
``provider``, ``resources``, and ``code``, the module of the handler. The finding must be at the
line that ends in ``# here``, of the definition or of the code.
"""

from __future__ import annotations

import json
import textwrap
from typing import NamedTuple

import pytest
from conftest import HANDLER, PROVIDER, Project

from bootstrap.checks import RULES, examine
from bootstrap.checks.findings import Finding

MARK = "# here"
#: Rules that the engine has itself; test_check_command.py is about them.
OF_THE_ENGINE = {"TS005", "TS001", "TS006", "TS991", "TS992"}


class Case(NamedTuple):
    greet: str = ""
    resources: str = ""
    code: str = HANDLER
    more: str = ""
    provider: str = ""
    handler: str = "app.handler"

    def text(self) -> str:
        parts = [PROVIDER, _at(2, self.provider), "functions:\n  greet:\n"]
        parts += [f"    handler: {self.handler}\n", _at(4, self.greet), _at(2, self.more)]
        if self.resources:
            parts += ["resources:\n  Resources:\n", _at(4, self.resources)]
        return "".join(parts)


def _at(indent: int, text: str) -> str:
    return textwrap.indent(textwrap.dedent(text).strip("\n"), " " * indent) + "\n" if text else ""


QUEUE = "Type: AWS::SQS::Queue, Properties: "
DLQ = f"D: {{ {QUEUE}{{ QueueName: d, MessageRetentionPeriod: 1209600 }} }}\n"
REDRIVE = "RedrivePolicy: { deadLetterTargetArn: !GetAtt D.Arn, maxReceiveCount: 5 }"
Q = f"Q: {{ {QUEUE}{{ QueueName: q, VisibilityTimeout: 60, {REDRIVE} }} }}\n"
QD = Q + DLQ
ON_Q = "events: [{ sqs: { arn: !GetAtt Q.Arn, functionResponseType: ReportBatchItemFailures } }]\n"
REPORTS = "def handler(event, context):\n    return {'batchItemFailures': []}\n"
TO_D = "destinations: { onFailure: { type: sqs, arn: !GetAtt D.Arn } }\n"
BUS = "Bus: { Type: AWS::Events::EventBus, Properties: { Name: shop-bus } }\n"
TOPIC = "T: { Type: AWS::SNS::Topic, Properties: { TopicName: t } }\n"
STREAM = "S: { Type: AWS::Kinesis::Stream, Properties: { Name: s, ShardCount: 1 } }\n"


def trigger(name: str, more: str = "") -> str:
    return f"events: [{{ cognitoUserPool: {{ pool: p, trigger: {name}{more} }} }}]"


def policy(kind: str, key: str, name: str, service: str, action: str) -> str:
    return f"""\
{name}Policy:
  Type: AWS::{kind}
  Properties:
    {key}: [!Ref {name}]
    PolicyDocument:
      Statement:
        - Effect: Allow
          Principal: {{ Service: {service} }}
          Action: {action}
          Resource: "*"
"""


def queue_policy(name: str, service: str) -> str:
    return policy("SQS::QueuePolicy", "Queues", name, service, "sqs:SendMessage")


def rule(pattern: str, *, bus: str = "!Ref Bus", target: str = "!GetAtt Q.Arn") -> str:
    on = f"EventBusName: {bus}, " if bus else ""
    return (
        f"R:\n  Type: AWS::Events::Rule\n  Properties:\n    Name: r\n    {on[:-2]}\n"
        f"    EventPattern:\n{_at(6, pattern)}"
        f"    Targets:\n      - Id: one\n        Arn: {target}\n"
    )


def publishing(entry: str, after: str = "if answer['FailedEntryCount']: raise OSError") -> str:
    return (
        "import os\nimport boto3\nevents = boto3.client('events')\n"
        "def handler(event, context):\n"
        f"    answer = events.put_events(Entries=[{{{entry}}}])\n    {after}\n"
    )


OURS = "'EventBusName': os.environ['BUS'], 'Source': 'shop', 'DetailType': 'Sold', 'Detail': '{}'"
ENV = "environment: { BUS: !Ref Bus }\n"


def calling(service: str, call: str, after: str = "return answer['Failed']") -> str:
    return (
        f"import boto3\nclient = boto3.client('{service}')\n"
        f"def handler(event, context):\n    answer = client.{call}\n    {after}\n"
    )


def pattern_of_greet(pattern: str, bus: str = "!Ref Bus", more: str = "") -> str:
    return f"events:\n  - eventBridge:\n{_at(6, f'eventBus: {bus}')}{_at(6, pattern)}{_at(6, more)}"


def log_filter(group: str, pattern: str = "''") -> str:
    return (
        "F:\n  Type: AWS::Logs::SubscriptionFilter\n  Properties:\n"
        f"    FilterPattern: {pattern}\n    LogGroupName: {group}\n"
        "    DestinationArn: !GetAtt GreetLambdaFunction.Arn\n"
    )


GROUP = "G: { Type: AWS::Logs::LogGroup, Properties: { LogGroupName: /shop/events } }\n"
UNNAMED_GROUP = "G: { Type: AWS::Logs::LogGroup }\n"
STORING = ("logs:CreateLogStream", "logs:PutLogEvents")
FIXED = "arn:aws:logs:us-east-1:000000000000:log-group:/shop/events"
SOLD = "source: [shop]"


def log_policy(
    resource: str = "${G.Arn}",
    actions: tuple[str, ...] = STORING,
    service: str = "events.amazonaws.com",
    source: str = "",
    name: str = "L",
) -> str:
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Action": actions,
        "Principal": {"Service": service},
        "Resource": resource,
    }
    if source:
        statement["Condition"] = {"ArnEquals": {"aws:SourceArn": source}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return (
        f"{name}:\n  Type: AWS::Logs::ResourcePolicy\n  Properties:\n    PolicyName: {name}\n"
        f"    PolicyDocument: !Sub |\n      {document}\n"
    )


def stored(
    *policies: str, target: str = "!GetAtt G.Arn", mark: str = "", group: str = GROUP
) -> str:
    return group + rule(SOLD, bus="", target=target + mark) + "".join(policies)


MARKED = "KinesisStreamParameters:  # here\n  StartingPosition: LATEST"
OF_S = "KinesisStreamParameters:\n  StartingPosition: LATEST"


def pipe(source: str, parameters: str, target: str = "!GetAtt GreetLambdaFunction.Arn") -> str:
    own = f"    SourceParameters:\n{_at(6, parameters)}" if parameters else ""
    role = "arn:aws:iam::000000000000:role/r"
    return (
        "P:\n  Type: AWS::Pipes::Pipe\n  Properties:\n    Name: p\n"
        f"    RoleArn: {role}\n    Source: {source}\n    Target: {target}\n{own}"
    )


def notified(rules: str = "", name: str = "papers") -> str:
    return f"  - s3:\n      bucket: {name}\n{_at(6, rules)}"


PICTURES = "Pictures: { Type: AWS::S3::Bucket, Properties: { BucketName: pictures } }\n"


def distribution(domain: str, mark: str = "") -> str:
    """A distribution in front of a bucket."""
    return (
        "Cdn:\n  Type: AWS::CloudFront::Distribution\n  Properties:\n    DistributionConfig:\n"
        "      Enabled: true\n      Origins:\n"
        f"        - Id: o{mark}\n          DomainName: {domain}\n          S3OriginConfig: {{}}\n"
        "      DefaultCacheBehavior: { TargetOriginId: o, ViewerProtocolPolicy: allow-all }\n"
    )


def schedule(text: str) -> str:
    return f"events:\n  - eventBridge:\n      schedule: {text}\n"


def invoking(kind: str) -> str:
    return (
        "import boto3\n\ndef handler(event, context):\n"
        f"    boto3.client('lambda').invoke(  # here\n        InvocationType='{kind}',\n"
        "        FunctionName='shop-test-greet',\n    )\n"
    )


def allowing(action: str, mark: str = "", resource: str = "arn:aws:sqs:us-east-1:1:q") -> str:
    return (
        "iam:\n  role:\n    statements:\n      - Effect: Allow\n"
        f"        Action: {action}{mark}\n        Resource: {resource}\n"
    )


def writing(bucket: str, key: str) -> str:
    return (
        "import boto3\ns3 = boto3.client('s3')\ndef handler(event, context):\n"
        "    record = event['Records'][0]\n"
        f"    s3.put_object(Bucket={bucket}, Key={key}, Body=b'')\n"
    )


def on_stream(more: str = "", mark: str = "") -> str:
    return (
        f"events:\n  - stream:{mark}\n      type: kinesis\n      arn: !GetAtt S.Arn\n{_at(6, more)}"
    )


SUBSCRIPTION = """\
Sub:
  Type: AWS::SNS::Subscription
  Properties:
    TopicArn: !Ref T
    Protocol: sqs
    Endpoint: !GetAtt Q.Arn  # here
    RedrivePolicy: { deadLetterTargetArn: !GetAtt D.Arn }
"""

RULES_OF_MAIL = "Set: { Type: AWS::SES::ReceiptRuleSet, Properties: { RuleSetName: set } }\n"
MAIL_BUCKET = "B: { Type: AWS::S3::Bucket, Properties: { BucketName: mails } }\n"
MAIL_POLICY = """\
BPolicy:
  Type: AWS::S3::BucketPolicy
  Properties:
    Bucket: !Ref B
    PolicyDocument:
      Statement:
        - Effect: Allow
          Principal: { Service: ses.amazonaws.com }
          Action: s3:PutObject
          Resource: "*"
"""
MAIL_PERMISSION = """\
Permission:
  Type: AWS::Lambda::Permission
  Properties:
    FunctionName: !GetAtt GreetLambdaFunction.Arn
    Action: lambda:InvokeFunction
    Principal: ses.amazonaws.com
"""
TO_BUCKET = "S3Action: { BucketName: !Ref B }"
GREET = "FunctionArn: !GetAtt GreetLambdaFunction.Arn"
ASKS = f"LambdaAction: {{ {GREET}, InvocationType: RequestResponse }}"
TELLS = f"LambdaAction: {{ {GREET} }}"
STOPS = "StopAction: { Scope: RuleSet }"


def receipt_rule(
    *actions: str,
    name: str = "r",
    needs: str = "",
    after: str = "",
    enabled: str = "Enabled: true",
    recipients: str = "[shop.example]",
    mark: str = "",
) -> str:
    """A receipt rule; the mark stands at the line of its first key."""
    lines = "".join(f"        - {action}\n" for action in actions)
    return (
        f"{name.title()}:\n  Type: AWS::SES::ReceiptRule\n"
        + (f"  DependsOn: [{needs}]\n" if needs else "")
        + "  Properties:\n    RuleSetName: !Ref Set\n"
        + (f"    After: {after}\n" if after else "")
        + f"    Rule:{mark}\n      Name: {name}\n"
        + (f"      {enabled}\n" if enabled else "")
        + f"      Recipients: {recipients}\n      Actions:\n{lines}"
    )


def schedule_resource(more: str = "", *, target: str = "", to: str = "!GetAtt Q.Arn") -> str:
    """A schedule of EventBridge Scheduler, with a dead-letter queue."""
    return (
        "Sc:\n  Type: AWS::Scheduler::Schedule\n  Properties:\n    Name: sc\n"
        "    ScheduleExpression: rate(1 day)\n    FlexibleTimeWindow: { Mode: 'OFF' }\n"
        f"{_at(4, more)}    Target:\n      Arn: {to}\n"
        "      RoleArn: arn:aws:iam::000000000000:role/r\n"
        f"{_at(6, target or 'DeadLetterConfig: { Arn: !GetAtt D.Arn }')}"
    )


def role(service: str, action: str, resource: str = "'*'") -> str:
    """A role that a service assumes."""
    return (
        "Ro:\n  Type: AWS::IAM::Role\n  Properties:\n    RoleName: ro\n"
        "    AssumeRolePolicyDocument:\n      Statement:\n"
        "        - Effect: Allow\n          Action: sts:AssumeRole\n"
        f"          Principal: {{ Service: {service} }}\n"
        "    Policies:\n      - PolicyName: p\n        PolicyDocument:\n          Statement:\n"
        f"            - {{ Effect: Allow, Action: '{action}', Resource: {resource} }}\n"
    )


def letters_of(policy: str) -> str:
    """A dead-letter queue that says whose."""
    return DLQ.replace("QueueName: d,", f"QueueName: d, RedriveAllowPolicy: {{ {policy} }},")


def in_role(mark: str = "") -> str:
    return schedule_resource(target="DeadLetterConfig: { Arn: !GetAtt D.Arn }").replace(
        "RoleArn: arn:aws:iam::000000000000:role/r", f"RoleArn: !GetAtt Ro.Arn{mark}"
    )


def table(more: str = "") -> str:
    return (
        "Tb:\n  Type: AWS::DynamoDB::Table\n  Properties:\n    TableName: tb\n"
        "    BillingMode: PAY_PER_REQUEST\n"
        "    KeySchema: [{ AttributeName: id, KeyType: HASH }]\n"
        f"    AttributeDefinitions: [{{ AttributeName: id, AttributeType: S }}]\n{_at(4, more)}"
    )


def view_type(kind: str) -> str:
    return table(f"StreamSpecification: {{ StreamViewType: {kind} }}")


def to_kinesis(kind: str = "") -> str:
    own = f"StreamSpecification:\n  StreamViewType: {kind}\n" if kind else ""
    return table("KinesisStreamSpecification: { StreamArn: !GetAtt S.Arn }\n" + own)


def on_table(more: str = "", arn: str = "!GetAtt Tb.StreamArn") -> str:
    return f"events:\n  - stream:\n      type: dynamodb\n      arn: {arn}\n{_at(6, more)}"


def filtered(pattern: str) -> str:
    return f"filterPatterns:\n  - {pattern}"


def subscribed(*more: str, endpoint: str = "!GetAtt Q.Arn", protocol: str = "sqs") -> str:
    lines = "".join(f"    {line}\n" for line in more)
    return (
        "Sub:\n  Type: AWS::SNS::Subscription\n  Properties:\n    TopicArn: !Ref T\n"
        f"    Protocol: {protocol}\n    Endpoint: {endpoint}\n{lines}"
    )


def conditioned(name: str, source: str) -> str:
    """A policy of a queue for EventBridge, for one rule."""
    condition = f"Condition: {{ ArnEquals: {{ 'aws:SourceArn': {source} }} }}"
    return f"{queue_policy(name, 'events.amazonaws.com')}          {condition}\n"


def permission(more: str = "", action: str = "lambda:InvokeFunction") -> str:
    return (
        "Permission:\n  Type: AWS::Lambda::Permission\n  Properties:\n"
        f"    FunctionName: !Ref GreetLambdaFunction\n    Action: {action}\n"
        f"    Principal: events.amazonaws.com\n{_at(4, more)}"
    )


TO_GREET = "!GetAtt GreetLambdaFunction.Arn"
CONNECTION = """\
Co:
  Type: AWS::Events::Connection
  Properties:
    AuthorizationType: API_KEY
    AuthParameters:
      ApiKeyAuthParameters:
        ApiKeyName: x-key
        ApiKeyValue: !Ref AWS::StackName
"""


def api_destination(endpoint: str = "https://partner.example/in") -> str:
    """An API destination, with its connection."""
    return (
        f"{CONNECTION}Api:\n  Type: AWS::Events::ApiDestination\n  Properties:\n"
        "    ConnectionArn: !GetAtt Co.Arn\n    HttpMethod: POST\n"
        f"    InvocationEndpoint: {endpoint}\n"
    )


def targets(count: int, mark: str = "") -> str:
    """More targets of a rule, with ids of their own."""
    name = "more" if not mark else "last"
    return "".join(
        f"      - Id: {name}{number}{mark}\n        Arn: !GetAtt Q.Arn\n" for number in range(count)
    )


def telling(kind: str, to: str, *, needs: str = "", event: str = "Created:*") -> str:
    """A bucket that tells a queue or a topic."""
    depends = f"  DependsOn: {needs}\n" if needs else ""
    return (
        f"B:\n  Type: AWS::S3::Bucket\n{depends}  Properties:\n"
        f"    BucketName: told\n    NotificationConfiguration:\n      {kind}Configurations:\n"
        f"        - Event: s3:Object{event}  # here\n          {kind}: {to}\n"
    )


def alarm(action: str, more: str = "") -> str:
    return (
        "Al:\n  Type: AWS::CloudWatch::Alarm\n  Properties:\n    MetricName: m\n"
        "    Namespace: n\n    Statistic: Sum\n    Period: 60\n    EvaluationPeriods: 1\n"
        "    Threshold: 1\n    ComparisonOperator: GreaterThanThreshold\n"
        f"{_at(4, more)}    AlarmActions:\n      - {action}\n"
    )


def topic_policy(service: str) -> str:
    return policy("SNS::TopicPolicy", "Topics", "T", service, "sns:Publish")


def of_buckets(more: str = "", kind: str = "Object Created", name: str = "told") -> str:
    """A bucket, and a rule that waits for its events."""
    pattern = f"source: [aws.s3]  # here\ndetail-type: ['{kind}']\n"
    pattern += f"detail: {{ bucket: {{ name: [{name}] }} }}" if name else ""
    return (
        f"{QD}{rule(pattern, bus='')}B:\n  Type: AWS::S3::Bucket\n  Properties:\n"
        f"    BucketName: told\n{_at(4, more)}"
    )


def given_to_the_bus(enabled: str) -> str:
    given = f"EventBridgeConfiguration: {{ EventBridgeEnabled: {enabled} }}"
    return f"NotificationConfiguration: {{ {given} }}"


def for_alarms() -> str:
    return permission().replace("events.ama", "lambda.alarms.cloudwatch.ama")


def inside_topic(protocol: str) -> str:
    """A topic with a subscription inside."""
    return (
        "T:\n  Type: AWS::SNS::Topic\n  Properties:\n    TopicName: t\n    Subscription:\n"
        f"      - Protocol: {protocol}  # here\n        Endpoint: !GetAtt Q.Arn\n"
    )


def both(event: str) -> str:
    """A bucket that tells a queue of an event, and a topic of everything that is created."""
    return (
        QD
        + telling("Queue", "!GetAtt Q.Arn", event=event).replace("  # here", "")
        + (
            "      TopicConfigurations:\n        - Event: s3:ObjectCreated:*  # here\n"
            "          Topic: arn:aws:sns:us-east-1:000000000000:t\n"
        )
    )


ALIAS = """\
Live:
  Type: AWS::Lambda::Alias
  Properties: { FunctionName: !Ref GreetLambdaFunction, FunctionVersion: "1", Name: live }
"""
TO_ALIAS = rule("source: [shop]", bus="", target="!Sub '${GreetLambdaFunction.Arn}:live'")


def function_url(permission: str = "") -> str:
    return (
        "Address:\n  Type: AWS::Lambda::Url\n  Properties:\n"
        "    TargetFunctionArn: !GetAtt GreetLambdaFunction.Arn\n    AuthType: NONE  # here\n"
        f"{permission}"
    )


OPEN = """\
Open:
  Type: AWS::Lambda::Permission
  Properties:
    FunctionName: !Ref GreetLambdaFunction
    Action: lambda:InvokeFunctionUrl
    Principal: "*"
    FunctionUrlAuthType: NONE
"""
ADDRESS = function_url(OPEN).replace("  # here", "")
NO_RETRIES = "RetryPolicy:\n  MaximumRetryAttempts: 0"
#: What rules invoke is at the line of the target.
FIRES_GREET = rule("source: [shop]", bus="", target=TO_GREET).replace("Id: one", "Id: one  # here")
FIFO = f"F: {{ {QUEUE}{{ QueueName: f.fifo, FifoQueue: true }} }}\n"
DEDUPLICATED = FIFO.replace("FifoQueue: true", "FifoQueue: true, ContentBasedDeduplication: true")


#: By rule: what breaks it, and what is close to that and does not.
CASES: dict[str, list[tuple[Case, Case]]] = {
    "TS002": [
        (Case(greet="memorySize: 256", handler="app.run  # here"), Case()),
        (Case(handler="other.handler  # here"), Case()),
    ],
    "TS003": [
        (
            Case(
                resources="D:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: 3.5  # here"
            ),
            Case(resources=DLQ),
        ),
    ],
    "TS004": [
        (
            Case(
                resources="D:  # here\n  Type: AWS::SQS::Queue\n  Properties: {QueueName: !Ref X}"
            ),
            Case(resources=DLQ),
        ),
    ],
    "TS101": [
        (
            Case(ON_Q, f"Q:  # here\n  {{ {QUEUE}{{ QueueName: q }} }}", REPORTS),
            Case(ON_Q, QD, REPORTS),
        ),
    ],
    "TS102": [
        (
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    RedrivePolicy:\n      deadLetterTargetArn: !Sub '${Q.Arn}'  # here\n" + DLQ
            ),
            Case(resources=QD),
        ),
    ],
    "TS103": [
        (
            Case(
                resources="A:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: a\n"
                "    RedrivePolicy:\n      deadLetterTargetArn: !GetAtt B.Arn  # here\n"
                "      maxReceiveCount: 5\nB:\n  Type: AWS::SQS::Queue\n  Properties:\n"
                "    QueueName: b\n    RedrivePolicy:\n"
                "      deadLetterTargetArn: !Sub 'arn:aws:sqs:${AWS::Region}:000000000000:a'"
                "  # here\n      maxReceiveCount: 5\n"
            ),
            Case(resources=QD),
        ),
        (
            Case(
                "events:\n  - sqs: { arn: !GetAtt Q.Arn }\n"
                "  - sqs:\n      arn: !GetAtt D.Arn  # here",
                QD,
            ),
            Case("events:\n  - sqs: { arn: !GetAtt Q.Arn }\n", QD),
        ),
        (
            Case(
                f"events:\n  - s3: papers\n  - sqs:\n      arn: !GetAtt D.Arn  # here\n{TO_D}", DLQ
            ),
            Case(
                f"events:\n  - s3: papers\n{TO_D}",
                DLQ,
                more="other: { handler: app.handler, events: [{ sqs: { arn: !GetAtt D.Arn } }] }",
            ),
        ),
    ],
    "TS104": [
        (
            Case(
                resources=Q + "D:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: d\n"
                "    MessageRetentionPeriod: 345599  # here"
            ),
            Case(resources=Q + f"D: {{ {QUEUE}{{ QueueName: d }} }}"),
        ),
    ],
    "TS105": [
        (
            Case(
                resources=QD
                + FIFO
                + TOPIC
                + subscribed("RedrivePolicy:", "  deadLetterTargetArn: !GetAtt F.Arn  # here")
            ),
            Case(
                resources=QD
                + FIFO
                + TOPIC.replace("TopicName: t", "TopicName: t.fifo, FifoTopic: true")
                + subscribed("RedrivePolicy:", "  deadLetterTargetArn: !GetAtt F.Arn")
            ),
        ),
        (
            Case("events: [{ s3: papers }]\nonError: !GetAtt F.Arn  # here", FIFO),
            Case("events: [{ s3: papers }]\nonError: !GetAtt D.Arn", DLQ),
        ),
        (
            Case(
                resources=QD
                + FIFO
                + schedule_resource(target="DeadLetterConfig: { Arn: !GetAtt F.Arn }  # here")
            ),
            Case(resources=QD + schedule_resource()),
        ),
        (
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q.fifo\n"
                "    FifoQueue: true\n    RedrivePolicy:\n"
                "      deadLetterTargetArn: !GetAtt D.Arn  # here\n" + DLQ
            ),
            Case(resources=QD),
        ),
        (
            Case(
                "events: [{ s3: papers }]\ndestinations:\n"
                "  onFailure: { type: sqs, arn: !GetAtt D.Arn }  # here",
                f"D: {{ {QUEUE}{{ QueueName: d.fifo, FifoQueue: true }} }}",
            ),
            Case(f"events: [{{ s3: papers }}]\n{TO_D}", DLQ),
        ),
        (
            Case(
                resources="D:\n  Type: AWS::SQS::Queue\n"
                "  Properties:\n    QueueName: d.fifo  # here"
            ),
            Case(resources=f"D: {{ {QUEUE}{{ QueueName: d.fifo, FifoQueue: true }} }}"),
        ),
    ],
    "TS106": [
        (
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    RedrivePolicy:\n      maxReceiveCount: 5\n"
                "      deadLetterTargetArn: !Sub 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:e'"
                "  # here\n"
            ),
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    RedrivePolicy:\n      maxReceiveCount: 5\n"
                "      deadLetterTargetArn: !Sub 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:d'\n"
                + DLQ
            ),
        ),
        (
            Case(
                "events: [{ s3: papers }]\ndestinations:\n"
                "  onFailure: { type: sqs, arn: 'arn:aws:sqs:us-east-1:1:d' }  # here"
            ),
            Case(f"events: [{{ s3: papers }}]\n{TO_D}", DLQ),
        ),
    ],
    "TS107": [
        (
            Case(
                resources=DLQ + "Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    RedrivePolicy:\n      deadLetterTargetArn: !GetAtt D.Arn\n"
                "      maxReceiveCount: 2  # here"
            ),
            Case(resources=QD),
        ),
    ],
    "TS108": [
        (
            Case(f"timeout: 31\n{ON_Q}", f"Q:  # here\n  {{ {QUEUE}{{ QueueName: q }} }}", REPORTS),
            Case(f"timeout: 60\n{ON_Q}", QD, REPORTS),
        ),
    ],
    "TS109": [
        (
            Case(
                "timeout: 10\nevents: [{ sqs: { arn: !GetAtt Q.Arn, maximumBatchingWindow: 1 } }]",
                "Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    VisibilityTimeout: 60  # here",
            ),
            Case(f"timeout: 10\n{ON_Q}", QD),
        ),
    ],
    "TS110": [
        (
            Case("events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      batchSize: 2  # here", QD),
            Case("events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      batchSize: 1", QD),
        ),
    ],
    "TS111": [
        (
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n"
                "      functionResponseType: ReportBatchItemFailures  # here",
                QD,
            ),
            Case(ON_Q, QD, REPORTS),
        ),
        (
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n"
                "      functionResponseType: ReportBatchItemFailures  # here",
                QD,
            ),
            Case(
                ON_Q,
                QD,
                "from aws_lambda_powertools.utilities.batch import *\n"
                "def handler(event, context):\n    return process_partial_response(event=event)\n",
            ),
        ),
    ],
    "TS112": [
        (
            Case("events:\n  - sqs: { arn: !GetAtt Q.Arn }  # here", QD, REPORTS),
            Case(ON_Q, QD, REPORTS),
        ),
    ],
    "TS113": [
        (
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      filterPatterns:  # here\n"
                "        - { body: { kind: [sold] } }",
                QD,
            ),
            Case("events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n", QD),
        ),
    ],
    "TS114": [
        (
            Case(
                ON_Q,
                QD,
                REPORTS,
                more="other:\n  handler: app.handler\n  events:\n    - sqs:\n"
                "        arn: !GetAtt Q.Arn  # here",
            ),
            Case(
                ON_Q,
                QD,
                REPORTS,
                more="other: { handler: app.handler, events: [{ sqs: { arn: !GetAtt D.Arn } }] }",
            ),
        ),
    ],
    "TS115": [
        (Case("reservedConcurrency: 0  # here"), Case("reservedConcurrency: 1")),
    ],
    "TS116": [
        (
            Case(
                "reservedConcurrency: 10\nevents:\n  - sqs:\n      arn: !GetAtt Q.Arn\n"
                "      functionResponseType: ReportBatchItemFailures\n"
                "      maximumConcurrency: 11  # here",
                QD,
                REPORTS,
            ),
            Case(
                "reservedConcurrency: 10\nevents:\n  - sqs:\n      arn: !GetAtt Q.Arn\n"
                "      functionResponseType: ReportBatchItemFailures\n"
                "      maximumConcurrency: 10",
                QD,
                REPORTS,
            ),
        ),
        (
            Case(f"reservedConcurrency: 4  # here\n{ON_Q}", QD, REPORTS),
            Case(f"reservedConcurrency: 5\n{ON_Q}", QD, REPORTS),
        ),
        (
            Case(f"reservedConcurrency: 4  # here\n{ON_Q}", QD, REPORTS),
            Case(
                "reservedConcurrency: 4\nevents: [{ sqs: { arn: !GetAtt Q.Arn, "
                "maximumConcurrency: 4 } }]",
                QD,
                REPORTS,
            ),
        ),
    ],
    "TS117": [
        (
            Case(resources=TOPIC + alarm("!Ref T", "ActionsEnabled: false  # here")),
            Case(resources=TOPIC + alarm("!Ref T", "ActionsEnabled: true")),
        ),
        (
            Case(resources=QD + schedule_resource("State: DISABLED  # here")),
            Case(resources=QD + schedule_resource("State: ENABLED")),
        ),
        (
            Case(resources=QD + pipe("!GetAtt Q.Arn", "") + "    DesiredState: STOPPED  # here\n"),
            Case(resources=QD + pipe("!GetAtt Q.Arn", "")),
        ),
        (
            Case("events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      enabled: false  # here", QD),
            Case(ON_Q, QD),
        ),
        (
            Case(
                "events:\n  - eventBridge:\n      schedule: rate(1 hour)\n"
                "      enabled: false  # here"
            ),
            Case(schedule("rate(1 hour)")),
        ),
    ],
    "TS118": [
        (
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    RedrivePolicy:\n      deadLetterTargetArn: !Ref D  # here\n" + DLQ
            ),
            Case(resources=QD),
        ),
        (
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    RedrivePolicy:\n      deadLetterTargetArn: !Ref T  # here\n" + TOPIC
            ),
            Case(resources=QD + TOPIC),
        ),
        (
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    RedrivePolicy:\n"
                "      deadLetterTargetArn: arn:aws:sqs:eu-west-1:000000000000:d  # here\n",
                provider="region: us-east-1",
            ),
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    RedrivePolicy:\n"
                "      deadLetterTargetArn: arn:aws:sqs:us-east-1:000000000000:d\n"
            ),
        ),
    ],
    "TS119": [
        (
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                f"    VisibilityTimeout: 900\n    {REDRIVE}\n"
                "    MessageRetentionPeriod: 4500  # here\n" + DLQ
            ),
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                f"    VisibilityTimeout: 900\n    {REDRIVE}\n"
                "    MessageRetentionPeriod: 4501\n" + DLQ
            ),
        ),
        (
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    DelaySeconds: 900\n    MessageRetentionPeriod: 600  # here\n"
            ),
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    DelaySeconds: 900\n    MessageRetentionPeriod: 6000\n"
            ),
        ),
    ],
    "TS120": [
        (
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    RedrivePolicy:\n      maxReceiveCount: 5\n"
                "      deadLetterTargetArn: !GetAtt D.Arn  # here\n"
                + letters_of("redrivePermission: denyAll")
            ),
            Case(resources=Q + letters_of("redrivePermission: allowAll")),
        ),
        (
            Case(
                resources="Q:\n  Type: AWS::SQS::Queue\n  Properties:\n    QueueName: q\n"
                "    RedrivePolicy:\n      maxReceiveCount: 5\n"
                "      deadLetterTargetArn: !GetAtt D.Arn  # here\nO: { Type: AWS::SQS::Queue }\n"
                + letters_of("redrivePermission: byQueue, sourceQueueArns: [!GetAtt O.Arn]")
            ),
            Case(
                resources=Q
                + letters_of("redrivePermission: byQueue, sourceQueueArns: [!GetAtt Q.Arn]")
            ),
        ),
    ],
    "TS121": [
        (
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt F.Arn\n      batchSize: 11  # here\n"
                "      maximumBatchingWindow: 1  # here\n",
                FIFO,
            ),
            Case("events:\n  - sqs:\n      arn: !GetAtt F.Arn\n      batchSize: 10\n", FIFO),
        ),
        (
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt F.Arn\n"
                "      maximumBatchingWindow: 1  # here\n",
                FIFO,
            ),
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      maximumBatchingWindow: 1\n", QD
            ),
        ),
    ],
    "TS201": [
        (
            Case("events:\n  - http: { path: a, method: get, async: true }  # here"),
            Case("events:\n  - http: { path: a, method: get }"),
        ),
        (
            Case(resources=alarm(f"{TO_GREET}  # here") + for_alarms()),
            Case(resources=TOPIC + alarm("!Ref T")),
        ),
        (Case("events:\n  - s3: papers  # here"), Case(f"events: [{{ s3: papers }}]\n{TO_D}", DLQ)),
        (
            Case("events:\n  - s3: drafts  # here\n  - sns: sold  # here"),
            Case(f"events: [{{ sns: sold }}]\n{TO_D}", DLQ),
        ),
        (Case("events:\n  - eventBridge:  # here\n      schedule: rate(1 hour)"), Case(ON_Q, QD)),
        (
            Case(code=invoking("Event")),
            Case(code=invoking("RequestResponse")),
        ),
        (
            Case(resources=RULES_OF_MAIL + MAIL_PERMISSION + receipt_rule(f"{TELLS}  # here")),
            Case(resources=RULES_OF_MAIL + MAIL_PERMISSION + receipt_rule(ASKS)),
        ),
    ],
    "TS202": [
        (
            Case(
                resources=QD
                + schedule_resource(target="RetryPolicy: {}").replace("Target:", "Target:  # here")
            ),
            Case(resources=QD + schedule_resource()),
        ),
        (
            Case("events:\n  - eventBridge:  # here\n      schedule: rate(1 hour)"),
            Case(schedule("rate(1 hour)") + "      deadLetterQueueArn: !GetAtt D.Arn", DLQ),
        ),
    ],
    "TS203": [
        (
            Case(resources=QD + queue_policy("Q", "sns.amazonaws.com") + inside_topic("sqs")),
            Case(resources=QD + queue_policy("Q", "sns.amazonaws.com") + TOPIC + SUBSCRIPTION),
        ),
        (
            Case("events:\n  - sns: sold  # here"),
            Case(
                "events:\n  - sns:\n      topicName: sold\n"
                "      redrivePolicy: { deadLetterTargetRef: D }",
                DLQ,
            ),
        ),
    ],
    "TS204": [
        (
            Case(resources=QD + schedule_resource(target=f"{NO_RETRIES}  # here")),
            Case(
                resources=QD
                + schedule_resource(
                    target=f"{NO_RETRIES}\nDeadLetterConfig: {{ Arn: !GetAtt D.Arn }}"
                )
            ),
        ),
        (
            Case("events: [{ s3: papers }]\nmaximumRetryAttempts: 0  # here"),
            Case(f"events: [{{ s3: papers }}]\nmaximumRetryAttempts: 0\n{TO_D}", DLQ),
        ),
        (
            Case(
                schedule("rate(1 hour)") + "      retryPolicy:\n"
                "        maximumRetryAttempts: 0  # here"
            ),
            Case(schedule("rate(1 hour)")),
        ),
    ],
    "TS205": [
        (
            Case(
                f"{ON_Q}destinations:\n  onFailure: {{ type: sqs, arn: !GetAtt D.Arn }}  # here", QD
            ),
            Case(f"events: [{{ s3: papers }}]\n{TO_D}", DLQ),
        ),
    ],
    "TS206": [
        (
            Case(
                "events: [{ s3: papers }]\ndestinations:\n  onFailure:\n    type: sqs  # here\n"
                "    arn: !Ref T",
                TOPIC,
            ),
            Case(f"events: [{{ s3: papers }}]\n{TO_D}", DLQ),
        ),
        (
            Case(
                on_stream(
                    "destinations:\n  onFailure:\n    type: sns  # here\n    arn: !GetAtt D.Arn"
                ),
                STREAM + DLQ,
            ),
            Case(
                on_stream("destinations: { onFailure: { type: sqs, arn: !GetAtt D.Arn } }"),
                STREAM + DLQ,
            ),
        ),
    ],
    "TS207": [
        (
            Case(
                "events: [{ s3: papers }]\ndestinations:\n  onFailure: other  # here\n",
                more="other:\n  handler: app.handler\n  destinations:\n"
                "    onSuccess: greet  # here\n",
            ),
            Case(
                "events: [{ s3: papers }]\ndestinations:\n  onSuccess: other\n  onFailure: third\n",
                more="other: { handler: app.handler, destinations: { onFailure: third } }\n"
                "third: { handler: app.handler }",
            ),
        ),
        (
            Case("events: [{ s3: papers }]\ndestinations:\n  onFailure: greet  # here\n"),
            Case(
                "events: [{ s3: papers }]\ndestinations:\n  onFailure: other\n",
                more="other: { handler: app.handler }",
            ),
        ),
        (
            Case(
                "events: [{ s3: papers }]\ndestinations:\n  onFailure: other  # here\n",
                more="other:\n  handler: app.handler\n  destinations:\n"
                "    onFailure: greet  # here\n",
            ),
            Case(
                "events: [{ s3: papers }]\ndestinations:\n  onFailure: other\n",
                DLQ,
                more=f"other:\n  handler: app.handler\n  {TO_D}",
            ),
        ),
    ],
    "TS208": [
        (
            Case(resources=QD + TO_ALIAS.replace("Id: one", "Id: one  # here")),
            Case(resources=QD + ALIAS + TO_ALIAS),
        ),
        (
            Case(
                resources=permission()
                + FIRES_GREET.replace(TO_GREET, "!Sub '${GreetLambdaFunction.Arn}:live'")
            ),
            Case(
                resources=permission()
                + FIRES_GREET.replace(
                    TO_GREET, "!Sub '${GreetLambdaFunction.Arn}:$LATEST'"
                ).replace("  # here", "")
            ),
        ),
        (
            Case(
                resources=QD
                + schedule_resource(to="!Sub '${GreetLambdaFunction.Arn}:live'").replace(
                    "Target:", "Target:  # here"
                )
            ),
            Case(resources=QD + schedule_resource(to=TO_GREET)),
        ),
    ],
    "TS301": [
        (
            Case(pattern_of_greet("pattern:\n  source: shop  # here"), BUS),
            Case(
                pattern_of_greet("pattern: { source: [shop], detail: { a: [{ exists: true }] } }"),
                BUS,
            ),
        ),
        (
            Case(pattern_of_greet("pattern:\n  detail: { n: [{ largest: 3 }] }  # here"), BUS),
            Case(
                pattern_of_greet(
                    "pattern: { detail: { n: [{ numeric: ['>', 3] }], "
                    "ip: [{ cidr: 10.0.0.0/8 }], k: [{ anything-but: [a] }] } }"
                ),
                BUS,
            ),
        ),
        (
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      filterPatterns:\n"
                "        - body: { kind: sold }  # here",
                QD,
            ),
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      filterPatterns:\n"
                "        - body: { kind: [sold] }",
                QD,
            ),
        ),
    ],
    "TS302": [
        (
            Case(pattern_of_greet("pattern:\n  account: [1234]  # here", "default")),
            Case(pattern_of_greet("pattern:\n  account: ['1234']", "default")),
        ),
        (
            Case(
                pattern_of_greet(
                    "pattern:\n  detail:\n    n: [{ numeric: ['>', 5, '<', 5] }]  # here", "default"
                )
            ),
            Case(
                pattern_of_greet(
                    "pattern:\n  detail:\n    n: [{ numeric: ['>=', 5, '<=', 5] }]", "default"
                )
            ),
        ),
        (
            Case(pattern_of_greet("pattern:\n  detailType: [Sold]  # here"), BUS),
            Case(
                pattern_of_greet(
                    "pattern:\n  detail-type: [Sold]\n  $or:\n"
                    "    - { account: ['1'] }\n    - { region: [x] }"
                ),
                BUS,
            ),
        ),
    ],
    "TS303": [
        (
            Case(pattern_of_greet("pattern:\n  detail: [{ exists: true }]  # here"), BUS),
            Case(pattern_of_greet("pattern:\n  detail: { id: [{ exists: true }] }"), BUS),
        ),
        (
            Case(
                pattern_of_greet("pattern:\n  detail:\n    colors: [{ exists: true }]  # here"),
                BUS + rule("detail: { colors: { primary: [red] } }") + QD,
            ),
            Case(
                pattern_of_greet("pattern:\n  detail:\n    colors: [{ exists: true }]"),
                BUS + rule("detail: { size: { width: [1] } }") + QD,
            ),
        ),
    ],
    "TS304": [
        (
            Case(ENV, BUS + QD + rule("source:\n  - shp  # here"), publishing(OURS)),
            Case(ENV, BUS + QD + rule("source:\n  - shop"), publishing(OURS)),
        ),
        (
            Case(ENV, BUS + QD + rule("detail-type:\n  - sold  # here"), publishing(OURS)),
            Case(
                ENV,
                BUS + QD + rule("detail-type:\n  - sold"),
                publishing(OURS.replace("'Sold'", "event['kind']")),
            ),
        ),
    ],
    "TS305": [
        (
            Case(ENV, BUS + QD + rule("source: [shop]  # here", bus=""), publishing(OURS)),
            Case(ENV, BUS + QD + rule("source: [shop]"), publishing(OURS)),
        ),
    ],
    "TS306": [
        (
            Case(
                pattern_of_greet("pattern: { source: [shop] }", "shop-events-dev  # here"),
                "Bus: { Type: AWS::Events::EventBus, Properties: { Name: shop-events-test } }\n",
            ),
            Case(
                pattern_of_greet("pattern: { source: [shop] }", "shop-events-all"),
                "Bus: { Type: AWS::Events::EventBus, Properties: { Name: shop-events-own } }\n",
            ),
        ),
        (
            Case(
                "events:\n  - eventBridge:\n      eventBus: shop-bsu  # here\n"
                "      pattern: { source: [shop] }",
                BUS,
            ),
            Case(
                "events:\n  - eventBridge:\n      eventBus: shop-bus-of-the-others\n"
                "      pattern: { source: [shop] }",
                BUS,
            ),
        ),
        (
            Case(
                resources=BUS + QD + "R:\n  Type: AWS::Events::Rule\n  Properties:\n    Name: r\n"
                "    EventBusName: somewhere  # here\n    EventPattern: { source: [shop] }"
            ),
            Case(resources=BUS + QD + rule("source: [shop]", bus="shop-bus")),
        ),
    ],
    "TS307": [
        (
            Case(
                schedule("rate(1 hour)") + "      inputTransformer:\n"
                "        inputPathsMap: { id: $.id }\n"
                "        inputTemplate: '{\"at\": <time>}'  # here"
            ),
            Case(
                schedule("rate(1 hour)") + "      inputTransformer:\n"
                "        inputPathsMap: { time: $.time }\n"
                '        inputTemplate: \'{"at": <time>, "r": <aws.events.rule-name>}\''
            ),
        ),
    ],
    "TS308": [
        (
            Case(
                pattern_of_greet("pattern:  # here\n  source: [shop]") + ENV, BUS, publishing(OURS)
            ),
            Case(
                pattern_of_greet("pattern: { source: [shop], detail-type: [Ordered] }") + ENV,
                BUS,
                publishing(OURS),
            ),
        ),
    ],
    "TS309": [
        (
            Case(pattern_of_greet("pattern:\n  source: [aws.s3]  # here"), BUS),
            Case(pattern_of_greet("pattern: { source: [aws.s3] }", "default"), BUS),
        ),
    ],
    "TS310": [
        (
            Case(
                ENV.replace("!Ref Bus", "shop-buss"),
                BUS,
                publishing(OURS).replace("}])", "}])  # here"),
            ),
            Case(ENV, BUS, publishing(OURS)),
        ),
        (
            Case(
                ENV.replace("!Ref Bus", "shop-bus-prod"),
                BUS.replace("shop-bus", "shop-bus-test"),
                publishing(OURS).replace("}])", "}])  # here"),
            ),
            Case(ENV.replace("!Ref Bus", "their-events"), BUS, publishing(OURS)),
        ),
    ],
    "TS311": [
        (
            Case(
                resources=DEDUPLICATED
                + queue_policy("F", "events.amazonaws.com")
                + rule("source: [shop]", bus="", target="!GetAtt F.Arn  # here")
            ),
            Case(
                resources=DEDUPLICATED
                + queue_policy("F", "events.amazonaws.com")
                + rule("source: [shop]", bus="", target="!GetAtt F.Arn")
                + "        SqsParameters: { MessageGroupId: g }\n"
            ),
        ),
        (
            Case(
                resources=QD
                + FIFO
                + schedule_resource(
                    to="!GetAtt F.Arn  # here", target="SqsParameters: { MessageGroupId: g }"
                )
            ),
            Case(
                resources=QD
                + DEDUPLICATED
                + schedule_resource(
                    to="!GetAtt F.Arn", target="SqsParameters: { MessageGroupId: g }"
                )
            ),
        ),
    ],
    "TS312": [
        (
            Case(
                resources="R:  # here\n  Type: AWS::Events::Rule\n"
                "  Properties: { Name: r, EventPattern: { source: [shop] } }\n"
            ),
            Case(schedule("rate(1 hour)")),
        ),
        (
            Case(
                resources="R:  # here\n  Type: AWS::Events::Rule\n"
                "  Properties: { Name: r, EventPattern: { source: [shop] }, Targets: [] }\n"
            ),
            Case(
                resources=QD
                + queue_policy("Q", "events.amazonaws.com")
                + rule("source: [shop]", bus="")
            ),
        ),
    ],
    "TS313": [
        (
            Case(resources=of_buckets()),
            Case(resources=of_buckets(given_to_the_bus("true"))),
        ),
        (
            Case(resources=of_buckets(name="")),
            Case(resources=of_buckets(name="another-one-s")),
        ),
        (
            Case(resources=of_buckets(given_to_the_bus("false"), name="!Ref B")),
            Case(resources=of_buckets(kind="AWS API Call via CloudTrail", name="")),
        ),
    ],
    "TS314": [
        (
            Case(
                resources=QD
                + "Own: { Type: AWS::Events::EventBus, Properties: { Name: own } }\n"
                + rule("source: [shop]", bus="", target="!GetAtt Own.Arn  # here")
            ),
            Case(
                resources=QD
                + "Own: { Type: AWS::Events::EventBus, Properties: { Name: own } }\n"
                + rule(
                    "source: [shop]",
                    bus="",
                    target="!GetAtt Own.Arn\n        RoleArn: arn:aws:iam::000000000000:role/r",
                )
            ),
        ),
        (
            Case(
                resources=QD
                + api_destination()
                + rule("source: [shop]", bus="", target="!GetAtt Api.Arn  # here")
            ),
            Case(
                resources=QD
                + api_destination()
                + rule(
                    "source: [shop]",
                    bus="",
                    target="!GetAtt Api.Arn\n        RoleArn: arn:aws:iam::000000000000:role/r",
                )
            ),
        ),
    ],
    "TS315": [
        (
            Case("timeout: 6", api_destination("!GetAtt Address.FunctionUrl  # here") + ADDRESS),
            Case("timeout: 5", api_destination("!GetAtt Address.FunctionUrl") + ADDRESS),
        ),
    ],
    "TS316": [
        (
            Case(resources=QD + rule("source: [shop]", bus="") + "        Input: 'x{'  # here\n"),
            Case(resources=QD + rule("source: [shop]", bus="") + "        Input: '{}'\n"),
        ),
        (
            Case(resources=QD + rule("source: [shop]", bus="") + "        InputPath: a  # here\n"),
            Case(resources=QD + rule("source: [shop]", bus="") + "        InputPath: $.a\n"),
        ),
        (
            Case(
                resources=QD
                + rule("source: [shop]", bus="")
                + "        Input: '{}'\n        InputPath: $.a  # here\n"
            ),
            Case(resources=QD + rule("source: [shop]", bus="") + "        Input: '\"a\"'\n"),
        ),
        (
            Case(
                resources=QD
                + rule("source: [shop]", bus="")
                + "        InputTransformer:  # here\n          InputPathsMap: { a: detail.a }\n"
                "          InputTemplate: <a>\n"
            ),
            Case(
                resources=QD
                + rule("source: [shop]", bus="")
                + "        InputTransformer:\n          InputPathsMap: { a: $.detail.a }\n"
                "          InputTemplate: <a>\n"
            ),
        ),
    ],
    "TS317": [
        (
            Case(
                resources=QD + rule("source: [shop]", bus="") + targets(4) + targets(1, "  # here")
            ),
            Case(resources=QD + rule("source: [shop]", bus="") + targets(4)),
        ),
    ],
    "TS401": [
        (
            Case(resources=both("Created:Put")),
            Case(resources=both("Removed:*")),
        ),
        (
            Case(
                "events:\n"
                + notified("rules: [{ prefix: a }]")
                + "  - s3:  # here\n      bucket: papers\n      rules: [{ prefix: a/b }]"
            ),
            Case(
                "events:\n"
                + notified("rules: [{ prefix: a/ }]")
                + notified("rules: [{ prefix: b/ }]")
            ),
        ),
        (
            Case(
                "events:\n" + notified() + "  - s3:  # here\n      bucket: papers\n"
                "      event: s3:ObjectCreated:Put"
            ),
            Case("events:\n" + notified() + notified("event: s3:ObjectRemoved:*")),
        ),
    ],
    "TS402": [
        (
            Case("events:\n" + notified("rules:\n  - suffix: '*.png'  # here")),
            Case("events:\n" + notified("rules: [{ suffix: .png }]")),
        ),
    ],
    "TS403": [
        (
            Case("events:\n" + notified("rules:\n  - suffix: .png\n  - prefix: /in/  # here")),
            Case("events:\n" + notified("rules: [{ prefix: in/ }]")),
        ),
    ],
    "TS404": [
        (
            Case(
                "events:\n  - s3:  # here\n      bucket: papers\n      rules: [{ prefix: in/ }]",
                code=writing("'papers'", "'in/' + record['id']"),
            ),
            Case(
                "events:\n" + notified("rules: [{ prefix: in/ }]"),
                code=writing("'papers'", "f'out/{record}'"),
            ),
        ),
        (
            Case(
                "events:\n  - s3:  # here\n      bucket: papers",
                code=writing("record['s3']['bucket']['name']", "'copy'"),
            ),
            Case("events:\n" + notified(), code=writing("'others'", "'copy'")),
        ),
    ],
    "TS405": [
        (
            Case(
                "events:\n  - s3:  # here\n      bucket: papers\n"
                "      event: s3:ObjectRemoved:DeleteMarkerCreated\n"
            ),
            Case("events:\n  - s3:\n      bucket: papers\n      event: s3:ObjectRemoved:Delete\n"),
        ),
        (
            Case(
                "events:\n  - s3:  # here\n      bucket: papers\n"
                "      event: s3:ObjectRemoved:DeleteMarkerCreated\n",
                provider="s3: { papers: { name: papers-of-ours } }",
            ),
            Case(
                "events:\n  - s3:\n      bucket: papers\n"
                "      event: s3:ObjectRemoved:DeleteMarkerCreated\n",
                provider="s3: { papers: { versioningConfiguration: { Status: Enabled } } }",
            ),
        ),
    ],
    "TS406": [
        (
            Case(resources=FIFO + telling("Queue", "!GetAtt F.Arn")),
            Case(resources=QD + telling("Queue", "!GetAtt Q.Arn")),
        ),
    ],
    "TS407": [
        (
            Case(
                resources=QD
                + queue_policy("Q", "s3.amazonaws.com")
                + telling("Queue", "!GetAtt Q.Arn")
            ),
            Case(
                resources=QD
                + queue_policy("Q", "s3.amazonaws.com")
                + telling("Queue", "!GetAtt Q.Arn", needs="QPolicy")
            ),
        ),
    ],
    "TS408": [
        (
            Case(
                resources=QD
                + queue_policy("Q", "s3.amazonaws.com")
                + telling("Queue", "!GetAtt Q.Arn", event="Made:*")
            ),
            Case(
                resources=QD
                + queue_policy("Q", "s3.amazonaws.com")
                + telling("Queue", "!GetAtt Q.Arn", event="Created:Put")
            ),
        ),
    ],
    "TS501": [
        (
            Case(resources=QD + telling("Queue", "!GetAtt Q.Arn")),
            Case(
                resources=QD
                + queue_policy("Q", "s3.amazonaws.com")
                + telling("Queue", "!GetAtt Q.Arn")
            ),
        ),
        (
            Case(
                resources=QD
                + conditioned("Q", "'arn:aws:events:us-east-1:000000000000:rule/s'")
                + rule("source: [shop]", bus="", target="!GetAtt Q.Arn  # here")
            ),
            Case(
                resources=QD
                + conditioned("Q", "'arn:aws:events:us-east-1:000000000000:rule/r'")
                + rule("source: [shop]", bus="")
            ),
        ),
        (
            Case(
                resources=QD
                + queue_policy("Q", "events.amazonaws.com").replace('"*"', "!GetAtt D.Arn")
                + rule("source: [shop]", bus="", target="!GetAtt Q.Arn  # here")
            ),
            Case(resources=QD + conditioned("Q", "!GetAtt R.Arn") + rule("source: [shop]", bus="")),
        ),
        (
            Case(resources=QD + TOPIC + SUBSCRIPTION),
            Case(resources=QD + TOPIC + SUBSCRIPTION + queue_policy("Q", "sns.amazonaws.com")),
        ),
        (
            Case(
                resources=QD
                + BUS
                + rule("source: [shop]", target="!GetAtt Q.Arn  # here")
                + queue_policy("Q", "sns.amazonaws.com")
            ),
            Case(
                resources=QD
                + BUS
                + rule("source: [shop]")
                + queue_policy("Q", "events.amazonaws.com")
            ),
        ),
    ],
    "TS502": [
        (
            Case(schedule("rate(1 hour)") + "      deadLetterQueueArn: !GetAtt D.Arn  # here", DLQ),
            Case(
                schedule("rate(1 hour)") + "      deadLetterQueueArn: !GetAtt D.Arn",
                DLQ + queue_policy("D", "events.amazonaws.com"),
            ),
        ),
    ],
    "TS503": [
        (
            Case(
                resources=TOPIC + topic_policy("events.amazonaws.com") + telling("Topic", "!Ref T")
            ),
            Case(resources=TOPIC + topic_policy("s3.amazonaws.com") + telling("Topic", "!Ref T")),
        ),
        (
            Case(resources=TOPIC + BUS + rule("source: [shop]", target="!Ref T  # here")),
            Case(
                resources=TOPIC
                + BUS
                + rule("source: [shop]", target="!Ref T")
                + policy("SNS::TopicPolicy", "Topics", "T", "events.amazonaws.com", "sns:Publish")
            ),
        ),
    ],
    "TS504": [
        (
            Case(resources=alarm(f"{TO_GREET}  # here")),
            Case(resources=alarm(TO_GREET) + for_alarms()),
        ),
        (
            Case(
                resources=permission("SourceArn: 'arn:aws:events:us-east-1:000000000000:rule/s'")
                + FIRES_GREET
            ),
            Case(
                resources=permission("SourceArn: 'arn:aws:events:us-east-1:000000000000:rule/r'")
                + FIRES_GREET.replace("  # here", "")
            ),
        ),
        (
            Case(resources=permission(action="lambda:GetFunction") + FIRES_GREET),
            Case(resources=permission(action="'lambda:*'") + FIRES_GREET.replace("  # here", "")),
        ),
        (
            Case(
                resources=BUS
                + permission("SourceArn: 'arn:aws:events:us-east-1:000000000000:rule/r'")
                + FIRES_GREET.replace("Name: r", "Name: r\n    EventBusName: !Ref Bus")
            ),
            Case(
                resources=BUS
                + permission("SourceArn: 'arn:aws:events:us-east-1:000000000000:rule/shop-bus/r'")
                + FIRES_GREET.replace("Name: r", "Name: r\n    EventBusName: !Ref Bus").replace(
                    "  # here", ""
                )
            ),
        ),
        (
            Case(
                resources=BUS + "R:\n  Type: AWS::Events::Rule\n  Properties:\n    Name: r\n"
                "    EventPattern: { source: [shop] }\n    Targets:\n"
                "      - Id: one  # here\n        Arn: !GetAtt GreetLambdaFunction.Arn"
            ),
            Case(schedule("rate(1 hour)")),
        ),
        (
            Case(resources=RULES_OF_MAIL + receipt_rule(f"{TELLS}  # here")),
            Case(resources=RULES_OF_MAIL + MAIL_PERMISSION + receipt_rule(TELLS)),
        ),
    ],
    "TS505": [
        (
            Case(provider=allowing("'sqs:*'", "  # here")),
            Case(provider=allowing("sqs:SendMessage")),
        ),
        (
            Case(provider=allowing("sqs:SendMessage", resource="'*'  # here")),
            Case(provider=allowing("[sqs:ListQueues, 'ses:SendEmail']", resource="'*'")),
        ),
    ],
    "TS506": [
        (
            Case(
                code=calling("events", "put_events(Entries=[])  # here"),
                provider=allowing("sqs:SendMessage"),
            ),
            Case(
                code=calling("events", "put_events(Entries=[])"), provider=allowing("events:Put*")
            ),
        ),
        (
            Case(
                code="import boto3\ntable = boto3.resource('dynamodb').Table('t')\n"
                "def handler(event, context):\n    table.put_item(Item={})  # here\n"
            ),
            Case(code="def handler(event, context):\n    context.put_item(Item={})\n"),
        ),
    ],
    "TS507": [
        (
            Case(
                resources=DLQ
                + queue_policy("D", "events.amazonaws.com")
                + "Second:  # here\n  Type: AWS::SQS::QueuePolicy\n  Properties:\n"
                "    Queues: [!Ref D]\n    PolicyDocument: { Statement: [] }\n"
            ),
            Case(resources=DLQ + queue_policy("D", "events.amazonaws.com")),
        ),
    ],
    "TS508": [
        (
            Case(
                resources=QD.replace(
                    "QueueName: q,", "QueueName: q, KmsMasterKeyId: alias/aws/sqs,"
                )
                + queue_policy("Q", "events.amazonaws.com")
                + rule("source: [shop]", bus="", target="!GetAtt Q.Arn  # here")
            ),
            Case(
                resources=QD.replace("QueueName: q,", "QueueName: q, SqsManagedSseEnabled: true,")
                + queue_policy("Q", "events.amazonaws.com")
                + rule("source: [shop]", bus="")
            ),
        ),
        (
            Case(
                resources=QD.replace(
                    "QueueName: q,", "QueueName: q, KmsMasterKeyId: alias/aws/sqs,"
                )
                + TOPIC
                + queue_policy("Q", "sns.amazonaws.com")
                + subscribed(endpoint="!GetAtt Q.Arn  # here")
            ),
            Case(
                resources=QD.replace("QueueName: q,", "QueueName: q, KmsMasterKeyId: alias/ours,")
                + TOPIC
                + queue_policy("Q", "sns.amazonaws.com")
                + subscribed()
            ),
        ),
        (
            Case(
                resources=TOPIC.replace("TopicName: t", "KmsMasterKeyId: alias/aws/sns")
                + topic_policy("events.amazonaws.com")
                + rule("source: [shop]", bus="", target="!Ref T  # here")
            ),
            Case(
                resources=TOPIC
                + topic_policy("events.amazonaws.com")
                + rule("source: [shop]", bus="", target="!Ref T")
            ),
        ),
    ],
    "TS509": [
        (
            Case(
                resources=QD + role("lambda.amazonaws.com", "sqs:SendMessage") + in_role("  # here")
            ),
            Case(resources=QD + role("scheduler.amazonaws.com", "sqs:SendMessage") + in_role()),
        ),
        (
            Case(
                resources=QD
                + role("scheduler.amazonaws.com", "*")
                + pipe("!GetAtt Q.Arn", "").replace(
                    "RoleArn: arn:aws:iam::000000000000:role/r",
                    "RoleArn: !GetAtt Ro.Arn  # here",
                )
            ),
            Case(
                resources=QD
                + role("!Sub 'pipes.${AWS::URLSuffix}'", "*")
                + pipe("!GetAtt Q.Arn", "").replace(
                    "arn:aws:iam::000000000000:role/r", "!GetAtt Ro.Arn"
                )
            ),
        ),
    ],
    "TS510": [
        (
            Case(
                resources=QD
                + role("scheduler.amazonaws.com", "sqs:ReceiveMessage")
                + in_role("  # here")
            ),
            Case(resources=QD + role("scheduler.amazonaws.com", "sqs:*") + in_role()),
        ),
        (
            Case(
                resources=QD
                + role("scheduler.amazonaws.com", "sqs:SendMessage", "!GetAtt D.Arn")
                + in_role("  # here")
            ),
            Case(
                resources=QD
                + role("scheduler.amazonaws.com", "sqs:SendMessage", "!GetAtt Q.Arn")
                + in_role()
            ),
        ),
    ],
    "TS511": [
        (
            Case(resources=TOPIC + topic_policy("events.amazonaws.com") + alarm("!Ref T  # here")),
            Case(resources=TOPIC + alarm("!Ref T")),
        ),
        (
            Case(resources=TOPIC + topic_policy("s3.amazonaws.com") + alarm("!Ref T  # here")),
            Case(resources=TOPIC + topic_policy("cloudwatch.amazonaws.com") + alarm("!Ref T")),
        ),
    ],
    "TS512": [
        *(
            (Case(resources=stored(*refusing, mark="  # here")), Case(resources=stored(*storing)))
            for refusing, storing in (
                ([], [log_policy()]),
                ([log_policy(service="es.amazonaws.com")], [log_policy("*")]),
                ([log_policy(actions=STORING[1:])], [log_policy(actions=("logs:*",))]),
                # The streams are below the group.
                ([log_policy(FIXED)], [log_policy(f"{FIXED}:*")]),
                ([log_policy(f"{FIXED}-2:*")], [log_policy(f"{FIXED}:*:*")]),
                ([log_policy(source="${Q.Arn}"), QD], [log_policy(source="${R.Arn}")]),
                (
                    [log_policy(source="arn:aws:events:us-east-1:000000000000:rule/s")],
                    [log_policy("arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:${G}:*")],
                ),
                (
                    [log_policy(actions=STORING[1:])],
                    [
                        log_policy(actions=STORING[1:], name="L1"),
                        log_policy(
                            actions=STORING[:1],
                            service="delivery.logs.amazonaws.com",
                            name="L2",
                        ),
                    ],
                ),
            )
        ),
        (
            Case(resources=stored(target=FIXED, mark="  # here")),
            Case(
                resources=stored(log_policy("arn:aws:logs:*:*:log-group:/shop/*:*"), target=FIXED)
            ),
        ),
        (
            Case(
                resources=stored(log_policy(f"{FIXED}:*"), group=UNNAMED_GROUP, mark="  # here"),
            ),
            Case(resources=stored(log_policy(), group=UNNAMED_GROUP)),
        ),
        (
            Case(
                resources=stored(
                    log_policy("${H.Arn}"), UNNAMED_GROUP.replace("G:", "H:"), mark="  # here"
                ),
            ),
            # What AWS names may be among these.
            Case(resources=stored(log_policy("arn:aws:logs:*:*:*shop*:*"), group=UNNAMED_GROUP)),
        ),
    ],
    "TS601": [
        (
            Case("timeout: 40  # here\nevents:\n  - http: { path: a, method: get }"),
            Case("timeout: 40\nevents:\n  - http: { path: a, method: get, async: true }"),
        ),
        (
            Case("timeout: 31  # here\nevents: [{ httpApi: GET / }]"),
            Case("timeout: 30\nevents: [{ httpApi: GET / }]"),
        ),
        (
            Case("timeout: 30  # here\nevents: [{ http: GET /a }]"),
            Case("timeout: 29\nevents: [{ http: GET /a }]"),
        ),
    ],
    "TS602": [
        (
            Case("events:\n  - httpApi: 'GET /a/{b}-{c}'  # here"),
            Case("events:\n  - httpApi: 'GET /a/{b}/{c+}'"),
        ),
        (
            Case("events:\n  - http: 'GET /a/v{b}'  # here"),
            Case("events: [{ http: 'GET /a/{b}' }]"),
        ),
    ],
    "TS603": [
        (
            Case("events:\n  - httpApi: 'GET /a/{b}'\n  - httpApi: 'GET /a/{c}'  # here"),
            Case("events:\n  - httpApi: 'GET /a/{b}'\n  - httpApi: 'PUT /a/{c}'"),
        ),
        (
            Case("events:\n  - http: 'GET /a/{b}'\n  - http: 'GET /a/{c}'  # here"),
            Case("events:\n  - http: 'GET /a/{b}'\n  - http: 'GET /b/{c}'"),
        ),
    ],
    "TS604": [
        (
            Case(resources=function_url()),
            Case(resources=function_url(OPEN)),
        ),
    ],
    "TS651": [
        (
            Case(f"timeout: 6  # here\n{trigger('PreSignUp')}"),
            Case(f"timeout: 5\n{trigger('PreSignUp')}"),
        ),
        (
            Case(f"timeout: 6  # here\n{trigger('PreSignUp', ', existing: true')}"),
            Case(f"timeout: 5\n{trigger('PreSignUp', ', existing: true')}"),
        ),
    ],
    "TS652": [
        (
            Case(
                "timeout: 5",
                "P:\n  Type: AWS::Cognito::UserPool\n  Properties:\n    LambdaConfig:\n"
                "      PreSignUp: !GetAtt GreetLambdaFunction.Arn  # here",
            ),
            Case(f"timeout: 5\n{trigger('PreSignUp')}"),
        ),
    ],
    "TS653": [
        (
            Case(
                "timeout: 5\nevents:\n"
                "  - cognitoUserPool: { pool: p, trigger: DefineAuthChallenge }  # here\n"
                "  - cognitoUserPool: { pool: p, trigger: CreateAuthChallenge }"
            ),
            Case(
                "timeout: 5\nevents:\n"
                "  - cognitoUserPool: { pool: p, trigger: DefineAuthChallenge }\n"
                "  - cognitoUserPool: { pool: p, trigger: CreateAuthChallenge }\n"
                "  - cognitoUserPool: { pool: p, trigger: VerifyAuthChallengeResponse }"
            ),
        ),
    ],
    "TS661": [
        (
            Case(resources=PICTURES + distribution("pictures.s3.amazonaws.com", "  # here")),
            Case(
                resources=PICTURES
                + distribution("pictures.s3.amazonaws.com")
                + "P:\n  Type: AWS::S3::BucketPolicy\n  Properties:\n    Bucket: !Ref Pictures\n"
                "    PolicyDocument: { Statement: [] }\n"
            ),
        ),
        (
            Case(
                resources=PICTURES + distribution('!Sub "${Pictures}.s3.amazonaws.com"', "  # here")
            ),
            Case(resources=PICTURES + distribution("others.s3.amazonaws.com")),
        ),
        (
            Case(resources=PICTURES + distribution("!GetAtt Pictures.DomainName", "  # here")),
            Case(resources=PICTURES + distribution("example.com")),
        ),
    ],
    "TS701": [
        (
            Case(on_stream(mark="  # here"), STREAM),
            Case(on_stream("maximumRetryAttempts: 2"), STREAM),
        ),
    ],
    "TS702": [
        (
            Case(on_stream("maximumRetryAttempts: 2", "  # here"), STREAM),
            Case(
                on_stream("destinations: { onFailure: { type: sqs, arn: !GetAtt D.Arn } }"),
                STREAM + DLQ,
            ),
        ),
    ],
    "TS703": [
        (
            Case(on_stream("startingPosition: LATEST  # here"), STREAM),
            Case(on_stream("startingPosition: TRIM_HORIZON"), STREAM),
        ),
        (
            Case(on_table("startingPosition: LATEST  # here"), view_type("NEW_IMAGE")),
            Case(on_table(), view_type("NEW_IMAGE")),
        ),
    ],
    "TS704": [
        (
            Case(resources=STREAM + to_kinesis("KEYS_ONLY  # here")),
            Case(resources=STREAM + to_kinesis("NEW_AND_OLD_IMAGES")),
        ),
        (
            Case(resources=STREAM + to_kinesis("NEW_IMAGE  # here")),
            Case(resources=STREAM + to_kinesis()),
        ),
    ],
    "TS711": [
        (
            Case("events:\n  - eventBridge:\n      schedule: cron(0 0 30-31 FEB ? *)  # here"),
            Case(schedule("cron(0 0 29-31 FEB ? *)")),
        ),
        (
            Case(resources=QD + schedule_resource("EndDate: '2020-01-01T00:00:00Z'  # here")),
            Case(resources=QD + schedule_resource("EndDate: '2120-01-01T00:00:00Z'")),
        ),
        (
            Case(
                resources=QD
                + schedule_resource(
                    "StartDate: '2120-01-02T00:00:00Z'\nEndDate: '2120-01-01T00:00:00Z'  # here"
                )
            ),
            Case(
                resources=QD
                + schedule_resource(
                    "StartDate: '2120-01-01T00:00:00Z'\nEndDate: '2120-01-02T00:00:00Z'"
                )
            ),
        ),
        (
            Case("events:\n  - eventBridge:\n      schedule: cron(0 0 1 1 ? 2020)  # here"),
            Case(schedule("cron(0 0 1 1 ? 2020-2150)")),
        ),
        (
            Case("events:\n  - eventBridge:\n      schedule: cron(0 0 30 2 ? *)  # here"),
            Case(schedule("cron(0 0 29 2 ? *)")),
        ),
    ],
    "TS741": [
        (
            Case(
                resources=QD
                + TOPIC
                + queue_policy("Q", "sns.amazonaws.com")
                + subscribed("FilterPolicy:", "  order: { kind: [a] }  # here")
            ),
            Case(
                resources=QD
                + TOPIC
                + queue_policy("Q", "sns.amazonaws.com")
                + subscribed(
                    "FilterPolicyScope: MessageBody", "FilterPolicy:", "  order: { kind: [a] }"
                )
            ),
        ),
        (
            Case(
                resources=QD
                + TOPIC
                + queue_policy("Q", "sns.amazonaws.com")
                + subscribed("FilterPolicy:", "  kind: a  # here", "  other: []  # here")
            ),
            Case(
                resources=QD
                + TOPIC
                + queue_policy("Q", "sns.amazonaws.com")
                + subscribed("FilterPolicy:", "  kind: [a]")
            ),
        ),
    ],
    "TS742": [
        (
            Case(
                resources=TOPIC
                + subscribed(
                    "RawMessageDelivery: true  # here", endpoint=TO_GREET, protocol="lambda"
                )
            ),
            Case(
                resources=TOPIC
                + subscribed("RawMessageDelivery: false", endpoint=TO_GREET, protocol="lambda")
            ),
        ),
        (
            Case(
                resources=TOPIC
                + subscribed(
                    "RawMessageDelivery: 'true'  # here", endpoint=TO_GREET, protocol="lambda"
                )
            ),
            Case(resources=QD + TOPIC + subscribed("RawMessageDelivery: true")),
        ),
    ],
    "TS743": [
        (
            Case(
                resources=TOPIC.replace("TopicName: t", "TopicName: t.fifo, FifoTopic: true")
                + subscribed(endpoint="a@shop.example", protocol="email  # here")
            ),
            Case(resources=TOPIC + subscribed(endpoint="a@shop.example", protocol="email")),
        ),
        (
            Case(
                resources=TOPIC.replace("TopicName: t", "TopicName: t.fifo, FifoTopic: true")
                + subscribed(endpoint=f"{TO_GREET}  # here", protocol="lambda")
            ),
            Case(resources=TOPIC + subscribed(endpoint=TO_GREET, protocol="lambda")),
        ),
        (
            Case(resources=FIFO + TOPIC + subscribed(endpoint="!GetAtt F.Arn  # here")),
            Case(
                resources=FIFO
                + TOPIC.replace("TopicName: t", "TopicName: t.fifo, FifoTopic: true")
                + subscribed(endpoint="!GetAtt F.Arn")
            ),
        ),
        (
            Case(
                resources=FIFO + "T:\n  Type: AWS::SNS::Topic\n  Properties:\n    TopicName: t\n"
                "    Subscription:\n      - Protocol: sqs\n"
                "        Endpoint: !GetAtt F.Arn  # here\n"
            ),
            Case(resources=QD + TOPIC + subscribed()),
        ),
    ],
    "TS744": [
        (
            Case(
                resources=TOPIC + ALIAS + subscribed(endpoint="!Ref T  # here", protocol="lambda")
            ),
            Case(resources=TOPIC + ALIAS + subscribed(endpoint="!Ref Live", protocol="lambda")),
        ),
        (
            Case(resources=QD + TOPIC + subscribed(endpoint="!Ref Q  # here")),
            Case(resources=QD + TOPIC + subscribed()),
        ),
        (
            Case(resources=TOPIC + subscribed(endpoint=f"{TO_GREET}  # here")),
            Case(resources=TOPIC + subscribed(endpoint=TO_GREET, protocol="lambda")),
        ),
    ],
    "TS745": [
        (
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      filterPatterns:  # here\n"
                "        - { body: { kind: [sold] } }",
                QD + TOPIC + subscribed(),
            ),
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      filterPatterns:\n"
                "        - { body: { kind: [sold] } }",
                QD + TOPIC + subscribed("RawMessageDelivery: true"),
            ),
        ),
        (
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      filterPatterns:  # here\n"
                "        - { body: { kind: [{ exists: true }] } }",
                QD + TOPIC + subscribed(),
            ),
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      filterPatterns:\n"
                "        - { body: { Message: [{ prefix: a }], kind: [{ exists: false }] } }",
                QD + TOPIC + subscribed(),
            ),
        ),
    ],
    "TS746": [
        (
            Case(
                "timeout: 16",
                TOPIC
                + subscribed(endpoint="!GetAtt Address.FunctionUrl  # here", protocol="https")
                + ADDRESS,
            ),
            Case(
                "timeout: 15",
                TOPIC
                + subscribed(endpoint="!GetAtt Address.FunctionUrl", protocol="https")
                + ADDRESS,
            ),
        ),
    ],
    "TS761": [
        (
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      filterPatterns:\n"
                "        - Body: { kind: [sold] }  # here",
                QD,
            ),
            Case(
                "events:\n  - sqs:\n      arn: !GetAtt Q.Arn\n      filterPatterns:\n"
                "        - body: { kind: [sold] }",
                QD,
            ),
        ),
        (
            Case(on_stream(filtered("kind: [sold]  # here")), STREAM),
            Case(on_stream(filtered("data: { kind: [sold] }\n    partitionKey: [a]")), STREAM),
        ),
        (
            Case(on_table(filtered("eventName: [CREATE]  # here")), view_type("NEW_IMAGE")),
            Case(on_table(filtered("eventName: [INSERT, CREATE]")), view_type("NEW_IMAGE")),
        ),
        (
            Case(
                on_table(filtered("dynamodb:\n      OldImage: { a: { S: [x] } }  # here")),
                view_type("NEW_IMAGE"),
            ),
            Case(
                on_table(filtered("dynamodb: { OldImage: { a: { S: [{ exists: false }] } } }")),
                view_type("NEW_IMAGE"),
            ),
        ),
        (
            Case(
                on_table(filtered("dynamodb:\n      NewImage:\n        a: [x]  # here")),
                view_type("NEW_IMAGE"),
            ),
            Case(
                on_table(filtered("dynamodb: { NewImage: { a: { M: { b: { S: [x] } } } } }")),
                view_type("NEW_IMAGE"),
            ),
        ),
    ],
    "TS762": [
        (
            Case(on_table(arn="!GetAtt Tb.StreamArn  # here"), table()),
            Case(on_table(), view_type("NEW_IMAGE")),
        ),
        (
            Case(on_table(arn="!GetAtt Tb.Arn  # here"), view_type("NEW_IMAGE")),
            Case(on_table(), view_type("KEYS_ONLY")),
        ),
    ],
    "TS763": [
        (
            Case(
                on_table(arn="!GetAtt Tb.StreamArn  # here"),
                view_type("KEYS_ONLY"),
                "def handler(event, context):\n"
                "    return [one['dynamodb']['NewImage'] for one in event['Records']]\n",
            ),
            Case(
                on_table(),
                view_type("NEW_AND_OLD_IMAGES"),
                "def handler(event, context):\n"
                "    return [one['dynamodb']['NewImage'] for one in event['Records']]\n",
            ),
        ),
        (
            Case(
                on_table(arn="!GetAtt Tb.StreamArn  # here"),
                view_type("NEW_IMAGE"),
                "def handler(event, context):\n"
                "    return [one['dynamodb'].get('OldImage') for one in event['Records']]\n",
            ),
            Case(on_table(), view_type("KEYS_ONLY")),
        ),
    ],
    "TS764": [
        (
            Case(
                "events:\n  - sqs:\n      arn: arn:aws:sqs:eu-west-1:000000000000:q  # here\n",
                provider="region: us-east-1",
            ),
            # A deploy may be told the region.
            Case("events:\n  - sqs:\n      arn: arn:aws:sqs:eu-west-1:000000000000:q\n"),
        ),
        (
            Case(
                "events:\n  - stream:\n"
                "      arn: !Sub 'arn:aws:kinesis:eu-west-1:${AWS::AccountId}:stream/s'  # here\n"
                "      type: kinesis\n",
                provider="region: us-east-1",
            ),
            Case(
                "events:\n  - stream:\n      type: kinesis\n"
                "      arn: !Sub 'arn:aws:kinesis:${AWS::Region}:${AWS::AccountId}:stream/s'\n"
            ),
        ),
    ],
    "TS801": [
        (
            Case(code=publishing(OURS, "return event").replace("}])", "}])  # here")),
            Case(code=publishing(OURS)),
        ),
        (
            Case(code=publishing(OURS, "").replace("answer = ", "").replace("}])", "}])  # here")),
            Case(code=publishing(OURS, "return answer") + "FIELD = 'FailedEntryCount'\n"),
        ),
    ],
    "TS802": [
        (
            Case(
                code=calling("sqs", "send_message_batch(Entries=[])  # here", "return answer['x']")
            ),
            Case(
                code=calling("sqs", "send_message_batch(Entries=[])", "return check(answer)")
                + "def check(answer):\n    return answer['Failed']\n"
            ),
        ),
        (
            Case(
                code=calling("sqs", "send_message_batch(Entries=[])  # here", "print(f'{answer}')")
            ),
            Case(
                code=calling("sqs", "meta", "return [client.send_message_batch(Entries=[])]")
                + "FIELD = 'Failed'\n"
            ),
        ),
        (
            Case(code=calling("sqs", "send_message_batch(Entries=[])  # here", "return None")),
            Case(code=calling("sqs", "send_message_batch(Entries=[])")),
        ),
        (
            Case(code=calling("sns", "publish_batch(TopicArn='')  # here", "return None")),
            Case(code=calling("sns", "publish_batch(TopicArn='')", "return answer.get('Failed')")),
        ),
    ],
    "TS803": [
        (
            Case(code=calling("kinesis", "put_records(Records=[])  # here", "return None")),
            Case(
                code=calling(
                    "kinesis", "put_records(Records=[])", "return answer['FailedRecordCount']"
                )
            ),
        ),
    ],
    "TS804": [
        (
            Case(
                code=calling("dynamodb", "batch_write_item(RequestItems={})  # here", "return None")
            ),
            Case(
                code=calling(
                    "dynamodb",
                    "batch_write_item(RequestItems={})",
                    "return answer['UnprocessedItems']",
                )
            ),
        ),
    ],
    "TS721": [
        (
            Case(resources=QD + STREAM + pipe("!GetAtt S.Arn", MARKED)),
            Case(
                resources=QD + STREAM + pipe("!GetAtt S.Arn", f"{OF_S}\n  MaximumRetryAttempts: 2")
            ),
        ),
        (
            Case(
                resources=DLQ
                + pipe(
                    "arn:aws:kinesis:us-east-1:000000000000:stream/s", "", "!GetAtt D.Arn"
                ).replace("P:", "P:  # here")
            ),
            Case(resources=QD + pipe("!GetAtt Q.Arn", "", "!GetAtt D.Arn")),
        ),
    ],
    "TS722": [
        (
            Case(resources=QD + STREAM + pipe("!GetAtt S.Arn", MARKED)),
            Case(
                resources=QD
                + STREAM
                + pipe("!GetAtt S.Arn", f"{OF_S}\n  DeadLetterConfig: {{ Arn: !GetAtt D.Arn }}")
            ),
        ),
    ],
    "TS723": [
        (
            Case(resources=DLQ + pipe("!GetAtt D.Arn  # here", "")),
            Case(resources=QD + pipe("!GetAtt Q.Arn", "")),
        ),
    ],
    "TS724": [
        (
            Case(ON_Q, QD + pipe("!GetAtt Q.Arn  # here", "", "!GetAtt D.Arn"), REPORTS),
            Case(ON_Q, QD + pipe("!GetAtt D.Arn", "", "!GetAtt Q.Arn"), REPORTS),
        ),
    ],
    "TS725": [
        (
            Case(
                resources=QD
                + pipe("!GetAtt Q.Arn", "FilterCriteria:  # here\n  Filters: [{ Pattern: '{}' }]")
            ),
            Case(
                resources=QD
                + STREAM
                + pipe(
                    "!GetAtt S.Arn",
                    f"FilterCriteria: {{ Filters: [{{ Pattern: '{{}}' }}] }}\n{OF_S}",
                )
            ),
        ),
    ],
    "TS726": [
        (
            Case(
                resources=QD
                + STREAM
                + pipe("!GetAtt S.Arn", f"{OF_S}\n  BatchSize: 11  # here", "!GetAtt Q.Arn")
            ),
            Case(resources=QD + STREAM + pipe("!GetAtt S.Arn", f"{OF_S}\n  BatchSize: 11")),
        ),
    ],
    "TS731": [
        (
            Case("name: greet\nevents:\n  - cloudwatchLog: /aws/lambda/greet  # here"),
            Case("name: greet\nevents:\n  - cloudwatchLog: /aws/lambda/other"),
        ),
        (
            Case(
                "name: greet\nevents:\n"
                "  - cloudwatchLog: { logGroup: /aws/lambda/other, filter: x }  # here",
                more="other:\n  name: other\n  handler: app.handler\n  events:\n"
                "    - cloudwatchLog: /aws/lambda/greet  # here",
            ),
            Case(
                "name: greet\nevents: [{ cloudwatchLog: /aws/lambda/other }]",
                more="other: { name: other, handler: app.handler }",
            ),
        ),
    ],
    "TS732": [
        (
            Case(
                "name: greet\nevents: [{ cloudwatchLog: /a }, { cloudwatchLog: /a }]",
                log_filter("/a  # here"),
            ),
            Case(
                "name: greet\nevents: [{ cloudwatchLog: /a }, { cloudwatchLog: /a }]",
                log_filter("/b"),
            ),
        ),
    ],
    "TS733": [
        (
            Case(
                "name: greet\nevents:\n  - cloudwatchLog:\n      logGroup: /a\n"
                "      filter: '{ $.level = }'  # here"
            ),
            Case(
                "name: greet\nevents:\n  - cloudwatchLog:\n      logGroup: /a\n"
                "      filter: '{ $.level = \"ERROR\" }'"
            ),
        ),
        (
            Case(resources=log_filter("/a", "'[a, ..., ...]'  # here")),
            Case(resources=log_filter("/a", "'[a, ..., b = 5*]'")),
        ),
        (
            Case(resources=log_filter("/a", f"'{{{'(' * 1000}'  # here")),
            Case(resources=log_filter("/a", "!Ref AWS::Region")),
        ),
    ],
    "TS901": [
        (
            Case(resources=CONNECTION.replace("!Ref AWS::StackName", "hunter2  # here")),
            Case(resources=CONNECTION.replace("!Ref AWS::StackName", "${aws:region}")),
        ),
        (
            Case("environment:\n  DB_PASSWORD: hunter2  # here"),
            Case("environment:\n  DB_PASSWORD: !Ref D\n  DB_PASSWORD_ID: x", DLQ),
        ),
        (
            Case(provider="environment:\n  ID: AKIAIOSFODNN7EXAMPLE  # here"),
            Case(provider="environment:\n  ID: AKIA"),
        ),
        (
            Case("environment:\n  KEY: '-----BEGIN RSA PRIVATE KEY-----'  # here"),
            Case("environment:\n  KEY: '-----BEGIN PUBLIC KEY-----'"),
        ),
    ],
    "TS902": [
        (Case("environment:\n  AWS_REGION: x  # here"), Case("environment:\n  AWS_REGIONS: x")),
    ],
    "TS903": [
        (
            Case(
                resources=DLQ + "E:\n  Type: AWS::SQS::Queue\n  Properties:\n"
                "    QueueName: d  # here"
            ),
            Case(resources=DLQ + "E: { Type: AWS::SNS::Topic, Properties: { TopicName: d } }"),
        ),
    ],
    "TS951": [
        (
            Case(resources=RULES_OF_MAIL + MAIL_BUCKET + receipt_rule(f"{TO_BUCKET}  # here")),
            Case(
                resources=RULES_OF_MAIL
                + MAIL_BUCKET
                + MAIL_POLICY
                + receipt_rule(TO_BUCKET, needs="BPolicy")
            ),
        ),
        (
            Case(
                resources=RULES_OF_MAIL
                + MAIL_BUCKET
                + MAIL_POLICY.replace("PutObject", "GetObject")
                + receipt_rule(f"{TO_BUCKET}  # here")
            ),
            Case(resources=RULES_OF_MAIL + receipt_rule("S3Action: { BucketName: not-ours }")),
        ),
    ],
    "TS952": [
        (
            Case(resources=RULES_OF_MAIL + receipt_rule(f"{ASKS}  # here")),
            Case(
                resources=RULES_OF_MAIL + MAIL_PERMISSION + receipt_rule(ASKS, needs="Permission")
            ),
        ),
    ],
    "TS953": [
        (
            Case(
                resources=RULES_OF_MAIL
                + MAIL_BUCKET
                + MAIL_POLICY
                + MAIL_PERMISSION
                + receipt_rule(f"{TO_BUCKET}  # here", f"{ASKS}  # here")
            ),
            Case(
                resources=RULES_OF_MAIL
                + MAIL_BUCKET
                + MAIL_POLICY
                + MAIL_PERMISSION
                + receipt_rule(TO_BUCKET, ASKS, needs="BPolicy, Permission")
            ),
        ),
    ],
    "TS954": [
        (
            Case(resources=RULES_OF_MAIL + receipt_rule(STOPS, enabled="", mark="  # here")),
            Case(resources=RULES_OF_MAIL + receipt_rule(STOPS, enabled="Enabled: false")),
        ),
    ],
    "TS955": [
        (
            Case(
                resources=RULES_OF_MAIL + "Other:  # here\n  Type: AWS::SES::ReceiptRuleSet\n"
                "  Properties: { RuleSetName: other }\n"
            ),
            Case(resources=RULES_OF_MAIL),
        ),
    ],
    "TS956": [
        (
            Case(resources=RULES_OF_MAIL + receipt_rule(STOPS, f"{STOPS}  # here")),
            Case(resources=RULES_OF_MAIL + receipt_rule(STOPS)),
        ),
        (
            Case(
                resources=RULES_OF_MAIL
                + receipt_rule(STOPS)
                + receipt_rule(STOPS, name="later", after="!Ref R  # here")
            ),
            Case(
                resources=RULES_OF_MAIL
                + receipt_rule(STOPS)
                + receipt_rule(STOPS, name="later", after="!Ref R", recipients="[other.example]")
            ),
        ),
        (
            Case(
                resources=RULES_OF_MAIL
                + receipt_rule(STOPS, recipients="[]")
                + receipt_rule(STOPS, name="later", after="r  # here")
            ),
            Case(
                resources=RULES_OF_MAIL
                + receipt_rule(STOPS, enabled="Enabled: false")
                + receipt_rule(STOPS, name="later", after="r")
            ),
        ),
    ],
    "TS957": [
        (
            Case(
                "timeout: 31\n",
                RULES_OF_MAIL
                + MAIL_PERMISSION
                + receipt_rule(f"{ASKS}  # here", needs="Permission"),
            ),
            Case(
                "timeout: 30\n",
                RULES_OF_MAIL + MAIL_PERMISSION + receipt_rule(ASKS, needs="Permission"),
            ),
        ),
        (
            Case(
                "timeout: 60\n",
                RULES_OF_MAIL
                + MAIL_PERMISSION
                + receipt_rule(f"{ASKS}  # here", needs="Permission"),
            ),
            Case("timeout: 60\n", RULES_OF_MAIL + receipt_rule(TELLS)),
        ),
    ],
}
TABLE = [
    pytest.param(identity, *pair, id=f"{identity}-{number}")
    for identity, pairs in CASES.items()
    for number, pair in enumerate(pairs)
]


def findings(project: Project, case: Case) -> list[Finding]:
    (project.root / "app.py").write_text(case.code)
    return examine(project.compile(case.text())).findings


@pytest.mark.parametrize(("identity", "bad", "good"), TABLE)
def test_a_rule_finds_what_breaks_it_and_nothing_else(
    identity: str, bad: Case, good: Case, project: Project
) -> None:
    found = [one for one in findings(project, bad) if one.rule_id == identity]

    text = {"serverless.yml": bad.text(), "app.py": bad.code}
    marked = {
        (name, number)
        for name, content in text.items()
        for number, line in enumerate(content.splitlines(), 1)
        if line.endswith(MARK)
    }
    assert {(one.file, one.line) for one in found} == marked, found
    for one in found:
        line = text[one.file].splitlines()[one.line - 1]
        assert line[one.column - 1 :].strip(), one
        assert not line[: one.column - 1][-1:].isalnum(), f"{line!r} {one.column}"
        assert one.what.endswith((".", "?"))
    assert not [one for one in findings(project, good) if one.rule_id == identity]


def test_every_rule_has_a_case() -> None:
    of_schedules = {"TS712"}  # test_check_schedules.py: no resource has a time zone yet
    assert CASES.keys() | OF_THE_ENGINE | of_schedules == RULES.keys()


def test_every_rule_says_why_and_how_to_mend_it_in_one_sentence() -> None:
    for one in RULES.values():
        for sentence in (one.why, one.mend):
            assert sentence.endswith("."), one
            assert len(sentence) <= 120, one
            assert "\n" not in sentence

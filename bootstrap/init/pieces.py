"""The piece of each kind of trigger: a function with its event, its resources, its handler.

A kind is one entry of :data:`PIECES`. Whatever is asynchronous has a place where its failures land,
so that ``make check STRICT=1`` passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Piece:
    """One kind of trigger.

    Attributes:
        says: what fires the function, for the README.
        function: what its entry under ``functions:`` has beside the handler.
        handler: the body of its ``handle`` function, which gets the event.
        resources: entries under ``resources: Resources:``.
        queues: logical ids and names of the queues where failures land.
        statements: entries of ``provider.iam.role.statements``.
    """

    says: str
    function: str
    handler: str
    resources: str = ""
    queues: tuple[tuple[str, str], ...] = ()
    statements: str = ""


_ANSWER = """\
    name = (event.get("queryStringParameters") or {}).get("name", "world")
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"greeting": f"Hello, {name}."}),
    }
"""
#: One bad message does not hurt its neighbours: only it comes again.
_BATCH = """\
    failures = []
    for record in event["Records"]:
        try:
            print("received", json.loads({body}))
        except ValueError:  # not what the sender promised: three tries, then the dead letters
            failures.append({{"itemIdentifier": {identity}}})
    return {{"batchItemFailures": failures}}
"""
_STREAM = """\
          startingPosition: TRIM_HORIZON
          functionResponseType: ReportBatchItemFailures
          bisectBatchOnFunctionError: true
          maximumRetryAttempts: 2
          destinations:
            onFailure: { type: sqs, arn: !GetAtt %s.Arn }
"""

#: A service that sends to a dead-letter queue itself needs the queue's permission.
_POLICY = """\
    %(queue)sPolicy:
      Type: AWS::SQS::QueuePolicy
      Properties:
        Queues: [!Ref %(queue)s]
        PolicyDocument:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Principal: { Service: %(service)s.amazonaws.com }
              Action: sqs:SendMessage
              Resource: !GetAtt %(queue)s.Arn
              Condition: { StringEquals: { aws:SourceAccount: !Ref AWS::AccountId } }
"""

PIECES: Final[dict[str, Piece]] = {
    "http": Piece(
        says="an HTTP API, `GET /hello`",
        function="    events:\n      - httpApi: GET /hello\n",
        handler=_ANSWER,
    ),
    "rest": Piece(
        says="a REST API, `GET /hello`",
        function="    events:\n      - http: GET /hello\n",
        handler=_ANSWER,
    ),
    "url": Piece(
        says="a function URL",
        function="    url: true\n",
        handler=_ANSWER,
    ),
    "s3": Piece(
        says="an object in the bucket `<service>-<stage>-uploads`, below `incoming/`",
        function="""\
    events:
      - s3:
          bucket: ${self:service}-${sls:stage}-uploads
          event: s3:ObjectCreated:*
          rules:
            - prefix: incoming/
    destinations:
      onFailure: { type: sqs, arn: !GetAtt S3Failures.Arn }
""",
        handler="""\
    for record in event["Records"]:
        print("received", unquote_plus(record["s3"]["object"]["key"]))
""",
        queues=(("S3Failures", "s3-failures"),),
    ),
    "sns": Piece(
        says="a message to the topic `<service>-<stage>-news`",
        function="""\
    events:
      - sns:
          arn: !Ref News
          topicName: ${self:service}-${sls:stage}-news
          redrivePolicy: { deadLetterTargetRef: SnsFailures }
    destinations:
      onFailure: { type: sqs, arn: !GetAtt SnsFailures.Arn }
""",
        handler="""\
    for record in event["Records"]:
        print("received", record["Sns"]["Message"])
""",
        resources="""\
    News:
      Type: AWS::SNS::Topic
      Properties: { TopicName: "${self:service}-${sls:stage}-news" }
""",
        queues=(("SnsFailures", "sns-failures"),),
    ),
    "sqs": Piece(
        says="a message in the queue `<service>-<stage>-orders`, JSON; three tries",
        function="""\
    events:
      - sqs:
          arn: !GetAtt Orders.Arn
          functionResponseType: ReportBatchItemFailures
""",
        handler=_BATCH.format(body='record["body"]', identity='record["messageId"]'),
        resources="""\
    Orders:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: ${self:service}-${sls:stage}-orders
        VisibilityTimeout: 60 # six times the function's timeout
        RedrivePolicy: { deadLetterTargetArn: !GetAtt OrdersDlq.Arn, maxReceiveCount: 3 }
""",
        queues=(("OrdersDlq", "orders-dlq"),),
    ),
    "kinesis": Piece(
        says="a record in the stream `<service>-<stage>-readings`, JSON",
        function="""\
    events:
      - stream:
          type: kinesis
          arn: !GetAtt Readings.Arn
"""
        + _STREAM % "KinesisFailures",
        handler=_BATCH.format(
            body='base64.b64decode(record["kinesis"]["data"])',
            identity='record["kinesis"]["sequenceNumber"]',
        ),
        resources="""\
    Readings:
      Type: AWS::Kinesis::Stream
      Properties: { Name: "${self:service}-${sls:stage}-readings", ShardCount: 1 }
""",
        queues=(("KinesisFailures", "kinesis-failures"),),
    ),
    "dynamodb": Piece(
        says="a change of the table `<service>-<stage>-items`",
        function="""\
    events:
      - stream:
          type: dynamodb
          arn: !GetAtt Items.StreamArn
"""
        + _STREAM % "DynamodbFailures",
        handler="""\
    for record in event["Records"]:
        print("received", record["eventName"], json.dumps(record["dynamodb"]["Keys"]))
    return {"batchItemFailures": []}
""",
        resources="""\
    Items:
      Type: AWS::DynamoDB::Table
      Properties:
        TableName: ${self:service}-${sls:stage}-items
        BillingMode: PAY_PER_REQUEST
        AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
        KeySchema: [{ AttributeName: id, KeyType: HASH }]
        StreamSpecification: { StreamViewType: NEW_AND_OLD_IMAGES }
""",
        queues=(("DynamodbFailures", "dynamodb-failures"),),
    ),
    "bus": Piece(
        says="an event of the source `shop` on the bus `<service>-<stage>`",
        function="""\
    events:
      - eventBridge:
          eventBus: !Ref Bus
          pattern: { source: [shop], detail-type: [OrderPlaced] }
          deadLetterQueueArn: !GetAtt BusFailures.Arn
    destinations:
      onFailure: { type: sqs, arn: !GetAtt BusFailures.Arn }
""",
        handler='    print("received", event["detail-type"], json.dumps(event["detail"]))\n',
        resources="""\
    Bus:
      Type: AWS::Events::EventBus
      Properties: { Name: "${self:service}-${sls:stage}" }
"""
        + _POLICY % {"queue": "BusFailures", "service": "events"},
        queues=(("BusFailures", "bus-failures"),),
    ),
    "schedule": Piece(
        says="a rule, once an hour",
        function="""\
    events:
      - eventBridge:
          name: ${self:service}-${sls:stage}-hourly
          schedule: rate(1 hour)
          deadLetterQueueArn: !GetAtt ScheduleFailures.Arn
    destinations:
      onFailure: { type: sqs, arn: !GetAtt ScheduleFailures.Arn }
""",
        handler='    print("received", event["time"])\n',
        resources=_POLICY % {"queue": "ScheduleFailures", "service": "events"},
        queues=(("ScheduleFailures", "schedule-failures"),),
    ),
}

#: How the Serverless Framework calls them.
ALIASES: Final = {
    "httpapi": "http",
    "http-api": "http",
    "rest-api": "rest",
    "function-url": "url",
    "eventbridge": "bus",
    "event-bridge": "bus",
    "stream": "kinesis",
    "cron": "schedule",
    "rate": "schedule",
}

// A shop with every trigger that the CDK makes in its own way. SHOP names the stack, SHOP_PREFIX the
// folder of the bucket that is watched.
const cdk = require('aws-cdk-lib')
const apigateway = require('aws-cdk-lib/aws-apigateway')
const apigatewayv2 = require('aws-cdk-lib/aws-apigatewayv2')
const dynamodb = require('aws-cdk-lib/aws-dynamodb')
const events = require('aws-cdk-lib/aws-events')
const iam = require('aws-cdk-lib/aws-iam')
const kinesis = require('aws-cdk-lib/aws-kinesis')
const lambda = require('aws-cdk-lib/aws-lambda')
const logs = require('aws-cdk-lib/aws-logs')
const pipes = require('aws-cdk-lib/aws-pipes')
const s3 = require('aws-cdk-lib/aws-s3')
const scheduler = require('aws-cdk-lib/aws-scheduler')
const sns = require('aws-cdk-lib/aws-sns')
const sqs = require('aws-cdk-lib/aws-sqs')
const { HttpLambdaIntegration } = require('aws-cdk-lib/aws-apigatewayv2-integrations')
const { CloudWatchLogGroup, LambdaFunction } = require('aws-cdk-lib/aws-events-targets')
const { DynamoEventSource, KinesisEventSource, SqsEventSource } = require('aws-cdk-lib/aws-lambda-event-sources')
const { LambdaInvoke } = require('aws-cdk-lib/aws-scheduler-targets')
const { LambdaDestination: LogDestination } = require('aws-cdk-lib/aws-logs-destinations')
const { LambdaDestination } = require('aws-cdk-lib/aws-s3-notifications')
const { LambdaSubscription } = require('aws-cdk-lib/aws-sns-subscriptions')

const name = process.env.SHOP
const app = new cdk.App()
const stack = new cdk.Stack(app, name, { env: { account: '000000000000', region: 'us-east-1' } })
const removalPolicy = cdk.RemovalPolicy.DESTROY

const failed = new sqs.Queue(stack, 'Failed')
const jobs = new sqs.Queue(stack, 'Jobs', { deadLetterQueue: { queue: failed, maxReceiveCount: 3 } })
const fed = new sqs.Queue(stack, 'Fed')

// In Python: says which event came.
const hello = new lambda.Function(stack, 'Hello', {
  runtime: new lambda.Runtime(process.env.SHOP_RUNTIME, lambda.RuntimeFamily.PYTHON, { supportsInlineCode: true }),
  handler: 'index.handler',
  timeout: cdk.Duration.seconds(10),
  deadLetterQueue: failed,
  code: lambda.Code.fromInline(`import json

def handler(event, context):
    print("GOT", json.dumps(event))
    return {"statusCode": 200, "body": "hello from the cdk"}
`),
})

// In JavaScript: AWS's SDK sends to the host that the queue's URL has.
const send = new lambda.Function(stack, 'Send', {
  runtime: lambda.Runtime.NODEJS_22_X,
  handler: 'index.handler',
  timeout: cdk.Duration.seconds(20),
  environment: { QUEUE_URL: jobs.queueUrl },
  code: lambda.Code.fromInline(`const { SQSClient, SendMessageCommand } = require("@aws-sdk/client-sqs")
exports.handler = async (event) =>
  new SQSClient({}).send(new SendMessageCommand({ QueueUrl: process.env.QUEUE_URL, MessageBody: event.body }))
`),
})
jobs.grantSendMessages(send)

const bucket = new s3.Bucket(stack, 'Uploads', { removalPolicy, autoDeleteObjects: true })
bucket.addEventNotification(s3.EventType.OBJECT_CREATED, new LambdaDestination(hello), {
  prefix: process.env.SHOP_PREFIX,
})

hello.addEventSource(new SqsEventSource(jobs, { batchSize: 5, reportBatchItemFailures: true }))

const topic = new sns.Topic(stack, 'News')
topic.addSubscription(new LambdaSubscription(hello, { deadLetterQueue: failed }))

const bus = new events.EventBus(stack, 'Bus')
new events.Rule(stack, 'Orders', {
  eventBus: bus,
  eventPattern: { source: ['shop'] },
  targets: [new LambdaFunction(hello, { deadLetterQueue: failed, retryAttempts: 2 })],
})
// A custom resource makes the policy that lets EventBridge in.
const kept = new logs.LogGroup(stack, 'Kept', { logGroupName: `/aws/events/${name}`, removalPolicy })
new events.Rule(stack, 'Kept events', {
  eventBus: bus,
  eventPattern: { source: ['shop'] },
  targets: [new CloudWatchLogGroup(kept, { installLatestAwsSdk: false })],
})
const hourly = new events.Rule(stack, 'Hourly', {
  schedule: events.Schedule.rate(cdk.Duration.hours(1)),
  targets: [new LambdaFunction(hello, { event: events.RuleTargetInput.fromObject({ from: 'a rule with a schedule' }) })],
})
const daily = new scheduler.Schedule(stack, 'Daily', {
  schedule: scheduler.ScheduleExpression.cron({ hour: '3', minute: '0', timeZone: cdk.TimeZone.EUROPE_MADRID }),
  target: new LambdaInvoke(hello, { input: scheduler.ScheduleTargetInput.fromObject({ from: 'EventBridge Scheduler' }) }),
})

const table = new dynamodb.Table(stack, 'Things', {
  partitionKey: { name: 'id', type: dynamodb.AttributeType.STRING },
  stream: dynamodb.StreamViewType.NEW_IMAGE,
  removalPolicy,
})
const startingPosition = lambda.StartingPosition.TRIM_HORIZON
hello.addEventSource(new DynamoEventSource(table, { startingPosition, retryAttempts: 2 }))
const clicks = new kinesis.Stream(stack, 'Clicks', { shardCount: 1, removalPolicy })
hello.addEventSource(new KinesisEventSource(clicks, { startingPosition }))

const lines = new logs.LogGroup(stack, 'Lines', { removalPolicy })
lines.addSubscriptionFilter('Errors', {
  destination: new LogDestination(hello),
  filterPattern: logs.FilterPattern.literal('ERROR'),
})

const role = new iam.Role(stack, 'PipeRole', { assumedBy: new iam.ServicePrincipal('pipes.amazonaws.com') })
fed.grantConsumeMessages(role)
hello.grantInvoke(role)
const pipe = new pipes.CfnPipe(stack, 'Pipe', {
  roleArn: role.roleArn,
  source: fed.queueArn,
  sourceParameters: { sqsQueueParameters: { batchSize: 1 } },
  target: hello.functionArn,
})
pipe.node.addDependency(role)

const http = new apigatewayv2.HttpApi(stack, 'Http')
http.addRoutes({
  path: '/http',
  methods: [apigatewayv2.HttpMethod.GET],
  integration: new HttpLambdaIntegration('Hello', hello),
})
const rest = new apigateway.LambdaRestApi(stack, 'Rest', { handler: hello, proxy: true })
const url = hello.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE })

const outputs = {
  HttpUrl: http.apiEndpoint,
  RestUrl: rest.url,
  FunctionUrl: url.url,
  Hello: hello.functionName,
  Send: send.functionName,
  Queue: jobs.queueUrl,
  Fed: fed.queueUrl,
  Bucket: bucket.bucketName,
  Topic: topic.topicArn,
  Bus: bus.eventBusName,
  Hourly: hourly.ruleName,
  Daily: daily.scheduleName,
  Table: table.tableName,
  Stream: clicks.streamName,
  LogGroup: lines.logGroupName,
  Kept: kept.logGroupName,
}
for (const [id, value] of Object.entries(outputs)) new cdk.CfnOutput(stack, `Output${id}`, { value }).overrideLogicalId(id)

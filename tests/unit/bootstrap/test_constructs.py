"""Constructs of ``serverless-lift``: what they consist of, and what refers to them."""

from __future__ import annotations

import pytest
from conftest import Project

from bootstrap.checks import check
from bootstrap.commands.load import load_template
from bootstrap.errors import DefinitionError

SERVICE = """\
service: shop
plugins: [serverless-lift]
provider: {name: aws, stage: test, runtime: python3.13}
"""
QUEUE = """\
constructs:
  jobs: {type: queue, batchSize: 5, maxRetries: 4, worker: {handler: app.handler, timeout: 10}}
functions:
  greet:
    handler: app.handler
    environment: {URL: '${construct:jobs.queueUrl}', ARN: '${construct:jobs.queueArn}'}
"""
STORAGE = """\
constructs:
  files: {type: storage}
functions:
  greet:
    handler: app.handler
    environment: {BUCKET: '${construct:files.bucketName}'}
    events:
      - s3: {bucket: '${construct:files.bucketName}', existing: true}
"""


def test_a_queue_with_its_worker(project: Project) -> None:
    template = load_template(project.write(SERVICE + QUEUE))

    check(template)
    made = {name: one.properties for name, one in template.resources.items()}
    assert made["JobsConstruct"]["QueueName"] == "shop-test-jobs"
    assert made["JobsConstruct"]["VisibilityTimeout"] == 60
    assert made["JobsConstruct"]["RedrivePolicy"]["maxReceiveCount"] == 4
    assert made["JobsConstructDlq"]["QueueName"] == "shop-test-jobs-dlq"
    mapping = made["JobsWorkerEventSourceMappingSQSJobsConstruct"]
    assert (mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (
        5,
        ["ReportBatchItemFailures"],
    )
    assert made["GreetLambdaFunction"]["Environment"]["Variables"] == {
        "URL": {"Ref": "JobsConstruct"},
        "ARN": {"Fn::GetAtt": ["JobsConstruct", "Arn"]},
    }
    assert "sqs:SendMessage" in str(made["IamRoleLambdaExecution"])
    assert "constructs.jobs: is made as serverless-lift" in " ".join(
        template.document.notes_as_text()
    )


def test_a_queue_in_order(project: Project) -> None:
    text = QUEUE.replace("batchSize: 5", "fifo: true, delay: 3")

    made = load_template(project.write(SERVICE + text)).resources

    queue = made["JobsConstruct"].properties
    assert (queue["QueueName"], queue["FifoQueue"]) == ("shop-test-jobs.fifo", True)
    assert queue["DelaySeconds"] == 3
    assert made["JobsConstructDlq"].properties["QueueName"] == "shop-test-jobs-dlq.fifo"


def test_a_storage_that_fires(project: Project) -> None:
    template = load_template(project.write(SERVICE + STORAGE))

    check(template)
    bucket = template.resources["FilesConstruct"]
    assert bucket.properties["VersioningConfiguration"] == {"Status": "Enabled"}
    order = [one.logical_id for one in template.ordered()]
    assert order.index("FilesConstruct") < order.index("GreetCustomS31")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            QUEUE.replace("jobs.queueArn", "jobs.queueTip"),
            "${construct:jobs.queueTip} has no value",
        ),
        (QUEUE.replace("maxRetries", "maxRetry"), "constructs.jobs.maxRetry: is not supported"),
        (QUEUE.replace("worker:", "workers:"), "worker"),
    ],
)
def test_constructs_that_are_refused(project: Project, text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        load_template(project.write(SERVICE + text))

    assert said in str(caught.value)


def test_settings_without_an_effect_are_noted(project: Project) -> None:
    text = QUEUE.replace("batchSize: 5", "alarm: a@b.example")

    template = load_template(project.write(SERVICE + text))

    assert "jobs.alarm: has no effect here" in " ".join(template.document.notes_as_text())


def test_a_construct_of_another_type_is_noted(project: Project) -> None:
    text = "constructs: {site: {type: static-website}}\nfunctions: {g: {handler: app.handler}}\n"

    template = load_template(project.write(SERVICE + text))

    assert "constructs.site: is not made" in " ".join(template.document.notes_as_text())

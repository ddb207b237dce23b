"""Receipt rules and their actions, in an account of the test's own with its own rule set."""

from __future__ import annotations

import io
import json
import os
import secrets
import zipfile

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from tests.e2e.smtp import accepted, message, send
from tests.support.permissions import permit
from tests.support.waiting import eventually

CODE = """
import json, os
def handler(event, context):
    print(json.dumps(event))
    subject = event["Records"][0]["ses"]["mail"]["commonHeaders"]["subject"]
    if subject == "fail" and "MENDED" not in os.environ:
        raise RuntimeError("not yet")
    return {"disposition": subject}
"""


class Account:
    """An account: clients, a domain, a rule set that is active, and what its rules use."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.id = "".join(secrets.choice("123456789") for _ in range(12))
        self.name = f"m{secrets.token_hex(6)}"
        self.domain = f"{self.name}.example"
        self.address = f"in@{self.domain}"
        self.ses = self.client("ses")
        self.ses.create_receipt_rule_set(RuleSetName=self.name)
        self.ses.set_active_receipt_rule_set(RuleSetName=self.name)
        self.ses.verify_domain_identity(Domain=self.domain)

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.id,
            aws_secret_access_key="test",
        )

    def rule(self, name, *actions, after=None, **more):
        rule = {"Name": name, "Enabled": True, "Recipients": [self.address], "ScanEnabled": True}
        placed = {"After": after} if after else {}
        self.ses.create_receipt_rule(
            RuleSetName=self.name, Rule={**rule, "Actions": list(actions), **more}, **placed
        )

    def arn(self, rule):
        return f"arn:aws:ses:us-east-1:{self.id}:receipt-rule-set/{self.name}:receipt-rule/{rule}"

    def bucket(self):
        """A bucket that SES may write to."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=self.name)
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "ses.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{self.name}/*",
            "Condition": {"StringEquals": {"AWS:SourceAccount": self.id}},
        }
        s3.put_bucket_policy(
            Bucket=self.name,
            Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        return self.name

    def function(self):
        """A function that SES may invoke: its ARN."""
        client, buffer = self.client("lambda"), io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("handler.py", CODE)
        self.client("iam").create_role(RoleName=self.name, AssumeRolePolicyDocument="{}")
        arn = client.create_function(
            FunctionName=self.name,
            Runtime=os.environ["LAMBDA_PYTHON_RUNTIME"],
            Handler="handler.handler",
            Role=f"arn:aws:iam::{self.id}:role/{self.name}",
            Code={"ZipFile": buffer.getvalue()},
        )["FunctionArn"]
        eventually(
            lambda: client.get_function_configuration(FunctionName=self.name)["State"] == "Active"
        )
        return arn

    def allow(self, rule="*"):
        self.client("lambda").add_permission(
            FunctionName=self.name,
            StatementId="ses",
            Action="lambda:InvokeFunction",
            Principal="ses.amazonaws.com",
            SourceAccount=self.id,
            SourceArn=self.arn(rule),
        )

    def topic(self):
        """A topic, and what reads the messages that it had."""
        sns, sqs = self.client("sns"), self.client("sqs")
        topic = sns.create_topic(Name=self.name)["TopicArn"]
        url = sqs.create_queue(QueueName=self.name)["QueueUrl"]
        permit(self.client, f"arn:aws:sqs:us-east-1:{self.id}:{self.name}")
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:us-east-1:{self.id}:{self.name}",
        )
        received = []

        def read():
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            received.extend(json.loads(one["Body"]) for one in answer.get("Messages", []))
            return received

        return topic, read

    def mail(self, subject="hello", **more):
        return accepted(
            "ann@client.example",
            self.address,
            message("ann@client.example", self.address, subject=subject, **more),
        )


@pytest.fixture
def account(settings):
    """An account of the test's own."""
    one = Account(settings.endpoint_url)
    yield one
    one.ses.set_active_receipt_rule_set()


def end(journal, mail):
    """The row of a mail that has its end."""

    def ended():
        row = journal.event(mail)
        return row if row["state"] != "pending" else None

    return eventually(ended)


def test_each_action_is_taken_in_order_and_is_in_the_journal(account, journal):
    bucket, function, (topic, messages) = account.bucket(), account.function(), account.topic()
    account.allow()
    account.rule(
        "one",
        {"AddHeaderAction": {"HeaderName": "X-Added", "HeaderValue": "yes"}},
        {"S3Action": {"BucketName": bucket, "ObjectKeyPrefix": "raw", "TopicArn": topic}},
        {"SNSAction": {"TopicArn": topic}},
        {"LambdaAction": {"FunctionArn": function}},
    )

    tried = account.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [one["Key"] for one in tried] == ["raw/AMAZON_SES_SETUP_NOTIFICATION"]
    mail = account.mail()

    assert end(journal, mail)["state"] == "done"
    raw = account.client("s3").get_object(Bucket=bucket, Key=f"raw/{mail}")["Body"].read()
    assert raw.startswith(b"X-Added: yes\r\nReturn-Path: <ann@client.example>\r\n")
    told = {
        json.loads(one["Message"])["receipt"]["action"]["type"]: json.loads(one["Message"])
        for one in eventually(lambda: len(messages()) == 2 and messages())
    }
    assert told["S3"]["receipt"]["action"]["objectKey"] == f"raw/{mail}"
    assert "content" not in told["S3"]
    assert told["SNS"]["notificationType"] == "Received"
    assert "Here it is." in told["SNS"]["content"]
    steps = [name for name, _ in journal.steps(mail)]
    assert steps[:6] == [
        "accepted",
        "rule one: AddHeader",
        "rule one: S3",
        "rule one: S3 notification",
        "rule one: SNS",
        "rule one: Lambda",
    ]
    (invocation,) = [
        one for one in journal.trace(mail)["events"] if one["kind"] == "asynchronous invocation"
    ]
    (record,) = json.loads(invocation["payload"])["Records"]
    assert record["eventSource"] == "aws:ses"
    assert record["ses"]["mail"]["messageId"] == mail
    assert record["ses"]["receipt"]["recipients"] == [account.address]
    assert record["ses"]["receipt"]["action"] == {
        "type": "Lambda",
        "functionArn": function,
        "invocationType": "Event",
    }
    assert record["ses"]["receipt"]["spamVerdict"] == {"status": "PASS"}
    assert record["ses"]["mail"]["headers"][0] == {"name": "X-Added", "value": "yes"}


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ("CONTINUE", ["one", "two"]),
        ("anything", ["one", "two"]),
        ("STOP_RULE", ["two"]),
        ("stop_rule_set", []),
    ],
)
def test_a_function_decides_whether_to_go_on(account, journal, answer, keys):
    bucket, function = account.bucket(), account.function()
    account.allow()
    ask = {"LambdaAction": {"FunctionArn": function, "InvocationType": "RequestResponse"}}
    stores = [{"S3Action": {"BucketName": bucket, "ObjectKeyPrefix": k}} for k in ("one", "two")]
    account.rule("two", stores[1])
    account.rule("one", ask, stores[0])

    mail = account.mail(answer)

    row = end(journal, mail)
    assert row["state"] == ("done" if keys else "discarded")
    listed = account.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert sorted(one["Key"] for one in listed if mail in one["Key"]) == [
        f"{key}/{mail}" for key in keys
    ]
    # The row of a synchronous invocation is written a moment after its answer.
    eventually(lambda: "received mail" in {one["kind"] for one in journal.trace(mail)["events"]})


def test_a_function_that_fails_is_asked_again_and_nothing_else_happens_before(account, journal):
    bucket, function = account.bucket(), account.function()
    account.allow()
    account.rule(
        "one",
        {"LambdaAction": {"FunctionArn": function, "InvocationType": "RequestResponse"}},
        {"S3Action": {"BucketName": bucket}},
    )

    mail = account.mail("fail")

    def failed():
        row = journal.event(mail)
        assert row["state"] == "pending"
        return "RuntimeError: not yet" in row["place"]

    eventually(failed)
    account.client("lambda").update_function_configuration(
        FunctionName=account.name, Environment={"Variables": {"MENDED": "1"}}
    )
    row = end(journal, mail)
    assert row["state"] == "done"
    assert row["attempts"] > 1
    account.client("s3").head_object(Bucket=bucket, Key=mail)
    names = [name for name, _ in journal.steps(mail)]
    assert names.index("rule one: Lambda failed") < names.index("rule one: S3")


def test_a_bucket_that_is_gone_gets_the_mail_when_it_is_back(account, journal):
    s3, bucket = account.client("s3"), account.bucket()
    account.rule("one", {"S3Action": {"BucketName": bucket}})
    s3.delete_object(Bucket=bucket, Key="AMAZON_SES_SETUP_NOTIFICATION")
    s3.delete_bucket(Bucket=bucket)

    mail = account.mail()

    eventually(lambda: f"Could not write to bucket: {bucket}" in journal.event(mail)["place"])
    account.bucket()
    assert end(journal, mail)["state"] == "done"
    s3.head_object(Bucket=bucket, Key=mail)


def test_a_permission_that_was_taken_away_stops_the_function(account, journal):
    function = account.function()
    account.allow()
    account.rule("one", {"LambdaAction": {"FunctionArn": function}})
    account.client("lambda").remove_permission(FunctionName=account.name, StatementId="ses")

    mail = account.mail()

    eventually(lambda: "Could not invoke Lambda function" in journal.event(mail)["place"])
    account.allow("one")
    assert end(journal, mail)["state"] == "done"


def test_rules_that_change_do_not_change_for_a_mail_that_was_received(account, journal):
    function, bucket = account.function(), account.bucket()
    account.allow()
    ask = {"LambdaAction": {"FunctionArn": function, "InvocationType": "RequestResponse"}}
    account.rule("one", ask, {"S3Action": {"BucketName": bucket}})
    mail = account.mail("fail")
    eventually(lambda: "not yet" in journal.event(mail)["place"])

    account.ses.delete_receipt_rule(RuleSetName=account.name, RuleName="one")
    account.client("lambda").update_function_configuration(
        FunctionName=account.name, Environment={"Variables": {"MENDED": "1"}}
    )

    assert end(journal, mail)["state"] == "done"
    account.client("s3").head_object(Bucket=bucket, Key=mail)
    code, text = send("ann@client.example", account.address, b"x")
    assert (code, text[:5]) == (550, "5.1.1")


def test_a_bounce_tells_the_sender(account, journal, mails):
    sender = f"{account.name}@client.example"
    account.rule(
        "one",
        {
            "BounceAction": {
                "SmtpReplyCode": "550",
                "StatusCode": "5.1.1",
                "Message": "Nobody here",
                "Sender": f"postmaster@{account.domain}",
            }
        },
        {"StopAction": {"Scope": "RuleSet"}},
    )

    mail = accepted(sender, account.address, message(sender, account.address))

    row = end(journal, mail)
    assert row["state"] == "done"
    (bounce,) = mails(sender)
    assert "Diagnostic-Code: smtp; 550 5.1.1 Nobody here" in bounce["RawData"]
    quiet = accepted("", account.address, message(sender, account.address))
    assert end(journal, quiet)["state"] == "discarded"
    assert len(mails(sender)) == 1

    account.ses.send_bounce(
        OriginalMessageId=mail,
        BounceSender=f"postmaster@{account.domain}",
        BouncedRecipientInfoList=[{"Recipient": account.address, "BounceType": "ContentRejected"}],
        Explanation="We do not like it",
    )
    assert "500 5.6.1 We do not like it" in mails(sender)[-1]["RawData"]
    with pytest.raises(ClientError, match="Original message not found"):
        account.ses.send_bounce(
            OriginalMessageId="no-such-mail",
            BounceSender=f"postmaster@{account.domain}",
            BouncedRecipientInfoList=[{"Recipient": account.address}],
        )


def test_a_mail_too_large_for_a_topic_bounces(account, journal, mails):
    topic, messages = account.topic()
    account.rule("one", {"SNSAction": {"TopicArn": topic}})
    sender = f"{account.name}@client.example"

    mail = accepted(
        sender, account.address, message(sender, account.address, ("a.bin", b"x" * 150_000))
    )

    assert end(journal, mail)["state"] == "done"
    assert "552 5.3.4" in mails(sender)[0]["RawData"]
    assert messages() == []


def test_a_rule_needs_what_it_uses(account):
    function, (topic, _) = account.function(), account.topic()
    elsewhere = f"arn:aws:sns:us-east-1:{account.id}:no-such-topic"
    for action, code in (
        ({"S3Action": {"BucketName": f"no-{account.name}"}}, "InvalidS3Configuration"),
        ({"LambdaAction": {"FunctionArn": function}}, "InvalidLambdaFunction"),
        ({"SNSAction": {"TopicArn": elsewhere}}, "InvalidSnsTopic"),
        ({"StopAction": {"Scope": "RuleSet", "TopicArn": elsewhere}}, "InvalidSnsTopic"),
        (
            {
                "BounceAction": {
                    "SmtpReplyCode": "550",
                    "Message": "m",
                    "Sender": "nobody@nowhere.example",
                }
            },
            "InvalidParameterValue",
        ),
        ({"WorkmailAction": {"OrganizationArn": "arn:x"}}, "InvalidParameterValue"),
    ):
        with pytest.raises(ClientError) as refused:
            account.rule("one", action)
        assert refused.value.response["Error"]["Code"] == code
    account.client("s3").create_bucket(Bucket=account.name)
    with pytest.raises(ClientError, match="Could not write to bucket"):
        account.rule("one", {"S3Action": {"BucketName": account.name}})
    account.allow("another-rule")
    with pytest.raises(ClientError, match="Could not invoke Lambda function"):
        account.rule("one", {"LambdaAction": {"FunctionArn": function}})
    assert account.ses.describe_receipt_rule_set(RuleSetName=account.name)["Rules"] == []
    account.rule("one", {"SNSAction": {"TopicArn": topic}})


def test_rule_sets_are_ordered_copied_and_changed(account):
    ses, name = account.ses, account.name

    def names(rule_set=name):
        rules = ses.describe_receipt_rule_set(RuleSetName=rule_set)["Rules"]
        return [rule["Name"] for rule in rules]

    for rule, after in (("a", None), ("b", "a"), ("c", "a"), ("d", None)):
        account.rule(rule, {"StopAction": {"Scope": "RuleSet"}}, after=after)
    assert names() == ["d", "a", "c", "b"]
    ses.set_receipt_rule_position(RuleSetName=name, RuleName="d", After="b")
    ses.reorder_receipt_rule_set(RuleSetName=name, RuleNames=["b", "c", "d", "a"])
    assert names() == ["b", "c", "d", "a"]
    ses.clone_receipt_rule_set(RuleSetName=f"{name}-2", OriginalRuleSetName=name)
    ses.update_receipt_rule(RuleSetName=f"{name}-2", Rule={"Name": "a", "Enabled": False})
    assert ses.describe_receipt_rule(RuleSetName=name, RuleName="a")["Rule"]["Enabled"] is True
    ses.delete_receipt_rule(RuleSetName=f"{name}-2", RuleName="b")
    assert (names(f"{name}-2"), names()) == (["c", "d", "a"], ["b", "c", "d", "a"])
    assert ses.describe_active_receipt_rule_set()["Metadata"]["Name"] == name
    with pytest.raises(ClientError, match="CannotDelete"):
        ses.delete_receipt_rule_set(RuleSetName=name)
    for call in (
        lambda: ses.reorder_receipt_rule_set(RuleSetName=name, RuleNames=["a"]),
        lambda: ses.set_active_receipt_rule_set(RuleSetName="no-such-set"),
        lambda: ses.describe_receipt_rule(RuleSetName=name, RuleName="x"),
    ):
        with pytest.raises(ClientError):
            call()


def test_version_2_sends_and_shows_where_all_mails_are(account, settings):
    v2, sender = account.client("sesv2"), f"{account.name}@sender.example"
    simple = {"Subject": {"Data": "Simple"}, "Body": {"Text": {"Data": "text"}}}
    to = {"ToAddresses": [f"{account.name}@client.example"]}

    with pytest.raises(ClientError, match="not verified"):
        v2.send_email(FromEmailAddress=sender, Destination=to, Content={"Simple": simple})
    v2.create_email_identity(EmailIdentity=sender)
    assert sender in account.ses.list_identities()["Identities"]
    v2.create_email_template(
        TemplateName="t", TemplateContent={"Subject": "Hi {{name}}", "Text": "Dear {{name}}"}
    )
    template = {"TemplateName": "t", "TemplateData": json.dumps({"name": "Ann"})}
    raw = message(sender, to["ToAddresses"][0], ("a.bin", b"\x00\xff"), subject="Raw")
    sent = [
        v2.send_email(FromEmailAddress=sender, Destination=to, Content=content)["MessageId"]
        for content in (
            {"Simple": simple},
            {"Raw": {"Data": raw.as_bytes()}},
            {"Template": template},
        )
    ]

    shown = {
        one["Id"]: one
        for one in requests.get(f"{settings.endpoint_url}/_aws/ses", timeout=60).json()["messages"]
    }
    assert [shown[one]["Subject"] for one in sent] == ["Simple", "Raw", "Hi Ann"]
    assert shown[sent[0]]["Body"]["text_part"] == "text"
    assert shown[sent[2]]["Body"]["text_part"] == "Dear Ann"
    assert all(shown[one]["Destination"] == to for one in sent)
    for content in (
        {},
        {"Template": {"TemplateName": "none", "TemplateData": "{}"}},
        {"Template": template | {"TemplateData": "{}"}},
    ):
        with pytest.raises(ClientError):
            v2.send_email(FromEmailAddress=sender, Destination=to, Content=content)

"""Receipt rules that SES takes, and who may do what for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trigger_stack.services.errors import ServiceError
from trigger_stack.services.ses.mime import filled_in, with_attachments
from trigger_stack.services.ses.permissions import may
from trigger_stack.services.ses.validation import check_name, check_rule, insert, reorder

ARN = "arn:aws:ses:us-east-1:000000000000:receipt-rule-set/set:receipt-rule/one"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
BOUNCE = {"SmtpReplyCode": "550", "StatusCode": "5.1.1", "Message": "no", "Sender": "a@b.example"}


def rule(*actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Name": "one", "Actions": list(actions), **more}


@pytest.mark.parametrize(
    "one",
    [
        rule(),
        rule(Recipients=["a@b.example", "a+x@b.example", "b.example", ".b.example"]),
        rule({"S3Action": {"BucketName": "b", "ObjectKeyPrefix": "p/"}}, TlsPolicy="Require"),
        rule({"SNSAction": {"TopicArn": "t", "Encoding": "Base64"}}),
        rule({"LambdaAction": {"FunctionArn": FUNCTION, "InvocationType": "RequestResponse"}}),
        rule({"BounceAction": BOUNCE}, {"StopAction": {"Scope": "RuleSet"}}),
        rule({"AddHeaderAction": {"HeaderName": "X-A", "HeaderValue": "v"}}),
    ],
)
def test_a_rule_that_ses_takes(one: dict[str, Any]) -> None:
    check_rule(one)


@pytest.mark.parametrize(
    ("one", "code", "says"),
    [
        ({"Name": "-x"}, "InvalidParameterValue", "receipt rule name"),
        ({"Name": "x" * 65}, "InvalidParameterValue", "64"),
        (rule(TlsPolicy="Maybe"), "InvalidParameterValue", "TlsPolicy"),
        (rule(Recipients=["a b"]), "InvalidParameterValue", "Invalid recipient"),
        (rule(Recipients=["b.example"] * 101), "LimitExceeded", "100"),
        (rule(*[{"StopAction": {"Scope": "RuleSet"}}] * 11), "LimitExceeded", "10"),
        (rule({}), "InvalidParameterValue", "exactly one"),
        (
            rule({"StopAction": {"Scope": "RuleSet"}, "SNSAction": {"TopicArn": "t"}}),
            "InvalidParameterValue",
            "exactly one",
        ),
        (
            rule({"WorkmailAction": {"OrganizationArn": "o"}}),
            "InvalidParameterValue",
            "WorkmailAction is not part of this stack",
        ),
        (
            rule({"ConnectAction": {"InstanceARN": "i"}}),
            "InvalidParameterValue",
            "ConnectAction is not part of this stack",
        ),
        (rule({"StopAction": {"Scope": "Rule"}}), "InvalidParameterValue", "RuleSet"),
        (rule({"S3Action": {}}), "InvalidParameterValue", "BucketName"),
        (
            rule({"S3Action": {"BucketName": "b", "KmsKeyArn": "k"}}),
            "InvalidParameterValue",
            "KmsKeyArn",
        ),
        (rule({"LambdaAction": {"FunctionArn": "f"}}), "InvalidLambdaFunction", "f"),
        (
            rule({"LambdaAction": {"FunctionArn": FUNCTION, "InvocationType": "DryRun"}}),
            "InvalidParameterValue",
            "InvocationType",
        ),
        (
            rule({"BounceAction": BOUNCE | {"SmtpReplyCode": "250"}}),
            "InvalidParameterValue",
            "SmtpReplyCode",
        ),
        (
            rule({"AddHeaderAction": {"HeaderName": "X-A", "HeaderValue": "a\r\nB: c"}}),
            "InvalidParameterValue",
            "line break",
        ),
        (
            rule({"AddHeaderAction": {"HeaderName": "X A", "HeaderValue": "a"}}),
            "InvalidParameterValue",
            "HeaderName",
        ),
        (
            rule({"SNSAction": {"TopicArn": "t", "Encoding": "x"}}),
            "InvalidParameterValue",
            "Encoding",
        ),
    ],
)
def test_a_rule_that_ses_refuses(one: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(ServiceError) as refused:
        check_rule(one)

    assert refused.value.code == code
    assert says in refused.value.message


@pytest.mark.parametrize("name", ["a", "a-b_c.d", "x" * 64])
def test_names(name: str) -> None:
    check_name(name, "rule set")


def test_a_rule_is_put_first_or_behind_another() -> None:
    rules = [{"Name": "a"}]
    insert(rules, {"Name": "b"}, None)
    insert(rules, {"Name": "c"}, "b")

    assert [one["Name"] for one in rules] == ["b", "c", "a"]
    assert [one["Name"] for one in reorder(rules, ["a", "b", "c"])] == ["a", "b", "c"]
    with pytest.raises(ServiceError, match="Rule does not exist: x"):
        insert(rules, {"Name": "d"}, "x")
    for wrong in (["a", "b"], ["a", "b", "b"], ["a", "b", "c", "c"]):
        with pytest.raises(ServiceError, match="each once"):
            reorder(rules, wrong)


def policy(**more: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::b/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | more]})


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        (None, False),
        (policy(), True),
        (policy(Principal="*"), True),
        (policy(Principal={"Service": "sns.amazonaws.com"}), False),
        (policy(Action="s3:*"), True),
        (policy(Action=["s3:Get*", "s3:Put*"]), True),
        (policy(Action="s3:GetObject"), False),
        (policy(Resource="arn:aws:s3:::b/other/*"), False),
        (policy(Effect="Deny"), False),
        (policy(Condition={"StringEquals": {"AWS:SourceAccount": "000000000000"}}), True),
        (policy(Condition={"StringEquals": {"AWS:SourceAccount": "1"}}), False),
        (policy(Condition={"StringEquals": {"aws:Referer": "000000000000"}}), True),
        (policy(Condition={"StringEquals": {"AWS:SourceArn": ARN}}), True),
        (policy(Condition={"ArnLike": {"AWS:SourceArn": f"{ARN[:-3]}*"}}), True),
        (policy(Condition={"StringEquals": {"AWS:SourceArn": f"{ARN}x"}}), False),
    ],
)
def test_a_policy_lets_ses_write_or_not(given: str | None, allowed: bool) -> None:
    assert may(given, "s3:PutObject", "arn:aws:s3:::b/raw/1", ARN) is allowed


def test_a_template_is_filled_in() -> None:
    data = json.dumps({"name": "Ann", "deep": {"er": 3}})

    assert filled_in("Hi {{name}}, {{ deep.er }} {{{name}}}", data) == "Hi Ann, 3 Ann"
    assert filled_in(None, None) is None
    for text, wrong in (("{{x}}", data), ("x", "["), ("x", "[]"), ("{{#each a}}{{/each}}", data)):
        with pytest.raises(ServiceError):
            filled_in(text, wrong)


def test_a_message_with_an_attachment_is_one_text() -> None:
    text = with_attachments(
        {
            "Subject": {"Data": "a\r\nX-Evil: 1"},
            "Body": {"Text": {"Data": "t"}, "Html": {"Data": "<b>h</b>"}},
            "Headers": [{"Name": "X-One", "Value": "1"}],
            "Attachments": [{"FileName": "a.png", "RawContent": b"\x89PNG"}],
        },
        source="a@b.example",
        destination={"ToAddresses": ["c@d.example"]},
    )

    assert "Subject: a X-Evil: 1" in text
    assert "X-One: 1" in text
    assert "image/png" in text
    assert 'filename="a.png"' in text

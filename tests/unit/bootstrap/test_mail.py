"""Receipt rule sets and rules: made once, changed, active; and mails from files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bootstrap.commands import mail
from bootstrap.errors import DeployError, WrongUseError
from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome
from bootstrap.services.ses import RULE_SET, activate, active_rule_set
from bootstrap.settings import Settings

RULE = "AWS::SES::ReceiptRule"
BODY: dict[str, Any] = {
    "Name": "one",
    "Enabled": True,
    "Recipients": ["shop.example"],
    "Actions": [{"StopAction": {"Scope": "RuleSet"}}],
}


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(
        Settings, "client", lambda self, name, run: boto3.client(name, region_name=self.region)
    )
    with mock_aws():
        yield Context(Settings(4566, 8080, "us-east-1"), "shop")


def ensure(context: Context, kind: str, **properties: Any) -> tuple[Outcome, str]:
    outcome, physical = RESOURCE_TYPES[kind].ensure(context, "Thing", properties)
    return outcome, physical.ref


def test_a_rule_set_and_its_rule_are_made_once_and_changed(context: Context) -> None:
    assert ensure(context, RULE_SET, RuleSetName="set") == (Outcome.CREATED, "set")
    assert ensure(context, RULE_SET, RuleSetName="set") == (Outcome.UNCHANGED, "set")
    assert ensure(context, RULE_SET) == (Outcome.CREATED, "shop-Thing")

    assert ensure(context, RULE, RuleSetName="set", Rule=BODY) == (Outcome.CREATED, "one")
    assert ensure(context, RULE, RuleSetName="set", Rule=BODY) == (Outcome.UNCHANGED, "one")
    for change in (
        {"Enabled": False},
        {"Recipients": ["other.example"]},
        {"TlsPolicy": "Require"},
        {"Actions": [{"AddHeaderAction": {"HeaderName": "X-A", "HeaderValue": "1"}}]},
    ):
        changed = BODY | change
        assert ensure(context, RULE, RuleSetName="set", Rule=changed)[0] is Outcome.CHANGED
        assert ensure(context, RULE, RuleSetName="set", Rule=changed)[0] is Outcome.UNCHANGED
    less = {key: value for key, value in BODY.items() if key != "Recipients"}
    assert ensure(context, RULE, RuleSetName="set", Rule=less)[0] is Outcome.CHANGED


def test_a_reply_code_may_be_a_number(context: Context) -> None:
    ensure(context, RULE_SET, RuleSetName="set")
    bounce = {"SmtpReplyCode": 550, "Message": "no", "Sender": "a@shop.example"}
    body = BODY | {"Actions": [{"BounceAction": bounce}]}

    ensure(context, RULE, RuleSetName="set", Rule=body)

    assert ensure(context, RULE, RuleSetName="set", Rule=body)[0] is Outcome.UNCHANGED


def test_a_rule_comes_after_the_one_that_it_names(context: Context) -> None:
    ensure(context, RULE_SET, RuleSetName="set")
    ensure(context, RULE, RuleSetName="set", Rule=BODY)
    second = BODY | {"Name": "two"}

    assert ensure(context, RULE, RuleSetName="set", Rule=second, After="one")[1] == "two"
    assert (
        ensure(context, RULE, RuleSetName="set", Rule=second, After="one")[0] is Outcome.UNCHANGED
    )
    rules = context.client("ses").describe_receipt_rule_set(RuleSetName="set")["Rules"]
    assert [one["Name"] for one in rules] == ["one", "two"]


def test_the_only_rule_set_becomes_the_active_one(context: Context) -> None:
    assert activate(context, []) is None
    ensure(context, RULE_SET, RuleSetName="set")

    note = activate(context, ["set"])

    assert note is not None
    assert note.endswith("aws ses set-active-receipt-rule-set --rule-set-name set")
    assert active_rule_set(context) == "set"
    assert activate(context, ["set"]) is None


def test_one_of_several_is_the_users_choice(context: Context) -> None:
    for name in ("a", "b"):
        ensure(context, RULE_SET, RuleSetName=name)

    note = activate(context, ["a", "b"])

    assert note is not None
    assert "no receipt rule set is active" in note
    assert "a or b" in note
    assert active_rule_set(context) is None


def test_a_foreign_active_rule_set_stays(context: Context) -> None:
    for name in ("foreign", "set"):
        ensure(context, RULE_SET, RuleSetName=name)
    context.client("ses").set_active_receipt_rule_set(RuleSetName="foreign")

    note = activate(context, ["set"])

    assert note is not None
    assert "the active receipt rule set is foreign" in note
    assert active_rule_set(context) == "foreign"


def test_a_rule_set_that_is_no_longer_described_takes_no_mail(context: Context) -> None:
    kind = RESOURCE_TYPES[RULE_SET]
    ensure(context, RULE_SET, RuleSetName="set")
    activate(context, ["set"])
    assert kind.remove is not None
    assert kind.exists is not None

    assert kind.remove(context, {"Ref": "set"})

    assert active_rule_set(context) is None
    assert kind.exists(context, {"Ref": "set"})
    assert not kind.remove(context, {"Ref": "set"})


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"RuleSetName": "s"}, "Rule is required"),
        ({"RuleSetName": "s", "Rule": BODY | {"Priority": 1}}, "Rule.Priority is not supported"),
        (
            {"RuleSetName": "s", "Rule": {"Actions": [{"WorkmailAction": {}}]}},
            "Rule.Actions.0.WorkmailAction is not supported here",
        ),
        (
            {"RuleSetName": "s", "Rule": {"Actions": [{"S3Action": {}}]}},
            "Rule.Actions.0.S3Action needs BucketName",
        ),
        (
            {"RuleSetName": "s", "Rule": {"Actions": [{"StopAction": {"Scope": "Rule"}}]}},
            "Scope must be RuleSet",
        ),
    ],
)
def test_what_is_not_understood_is_refused(properties: dict[str, Any], says: str) -> None:
    problem = RESOURCE_TYPES[RULE].problem(properties)

    assert problem is not None
    assert says in problem.message


def test_a_mail_without_a_file_a_recipient_or_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setenv("SMTP_PORT", str(unused_port))
    with pytest.raises(WrongUseError, match="No such file"):
        mail.send(tmp_path / "no.eml")
    file = tmp_path / "one.eml"
    file.write_bytes(b"Subject: x\n\nbody")
    with pytest.raises(WrongUseError, match="no recipient"):
        mail.send(file)
    with pytest.raises(DeployError, match=f"Nothing answers at 127.0.0.1:{unused_port}"):
        mail.send(file, to="a@b.example")


@pytest.fixture
def unused_port() -> int:
    """A port that nothing listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

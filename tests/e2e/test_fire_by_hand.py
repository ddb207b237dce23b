"""`make fire`: a table's stream and a user pool's triggers, by one command each."""

from __future__ import annotations

import json
import re
import uuid

import pytest

from bootstrap.commands import table, user_pool
from bootstrap.errors import DeployError, WrongUseError
from tests.e2e.running import bootstrap
from tests.support.waiting import eventually

POOL = "brand-admins"
REFUSES = """
def handler(event, context):
    raise ValueError("members only")
"""
ANSWERS = """
def handler(event, context):
    source, response = event["triggerSource"], event["response"]
    if source.startswith("DefineAuthChallenge"):
        response.update(challengeName="CUSTOM_CHALLENGE", issueTokens=False)
        response.update(failAuthentication=False)
    if source.startswith("CreateAuthChallenge"):
        response.update(publicChallengeParameters={}, privateChallengeParameters={"a": "b"})
    if source.startswith("VerifyAuthChallenge"):
        response.update(answerCorrect=False)
    if source.startswith("UserMigration"):
        response.update(userAttributes={"email": "fire@example.com"}, finalUserStatus="CONFIRMED")
    return event
"""


@pytest.fixture
def pool(aws, function, cleanup):
    """`pool(source, *triggers)`: name and ARN of a pool whose triggers are one function."""

    def create(source, *triggers, **settings):
        cognito, name = aws("cognito-idp"), f"test-{uuid.uuid4().hex[:12]}"
        arn = function(source, name)
        config = dict.fromkeys(triggers, arn)
        made = cognito.create_user_pool(PoolName=name, LambdaConfig=config, **settings)["UserPool"]
        cleanup.callback(cognito.delete_user_pool, UserPoolId=made["Id"])
        aws("lambda").add_permission(
            FunctionName=name,
            StatementId="pool",
            Action="lambda:InvokeFunction",
            Principal="cognito-idp.amazonaws.com",
            SourceArn=made["Arn"],
        )
        return name, made["Id"]

    return create


def said(*arguments):
    fired = bootstrap(*arguments)
    assert fired.returncode == 0, fired.stdout + fired.stderr
    return " ".join(fired.stdout.split())


def called(journal, pool_id):
    """The trigger sources that a pool's function got."""
    found = journal.find(source=pool_id)
    return {json.loads(journal.event(one["id"])["payload"])["triggerSource"] for one in found}


@pytest.mark.parametrize(
    ("trigger", "source", "outcome"),
    [
        ("PreSignUp", "PreSignUp_SignUp", "signed up"),
        ("PostConfirmation", "PostConfirmation_ConfirmSignUp", "signed up and confirmed"),
        ("PreAuthentication", "PreAuthentication_Authentication", "signed in"),
        ("PostAuthentication", "PostAuthentication_Authentication", "signed in"),
        ("PreTokenGeneration", "TokenGeneration_Authentication", "signed in"),
        ("CustomMessage", "CustomMessage_AdminCreateUser", "invited by a mail"),
        ("UserMigration", "UserMigration_Authentication", "signed in"),
        (
            "VerifyAuthChallengeResponse",
            "VerifyAuthChallengeResponse_Authentication",
            "the answer was wrong: asked for CUSTOM_CHALLENGE",
        ),
    ],
)
def test_each_trigger_of_a_pool_is_fired_and_nobody_is_left(
    aws, pool, journal, capsys, trigger, source, outcome
):
    custom = ["DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"]
    own = custom if trigger in custom else [trigger]
    policy = {"PasswordPolicy": {"MinimumLength": 50, "RequireSymbols": True}}
    phone = {"Name": "phone_number", "AttributeDataType": "String", "Required": True}
    name, pool_id = pool(ANSWERS, *own, Policies=policy, Schema=[phone])

    user_pool.fire(name, trigger)
    words = capsys.readouterr().out

    assert f"{name}: {trigger} for fire-" in words
    assert f": {outcome}\n" in words
    assert eventually(lambda: source in called(journal, pool_id))
    cognito = aws("cognito-idp")
    assert not cognito.list_users(UserPoolId=pool_id)["Users"]
    assert not cognito.list_user_pool_clients(UserPoolId=pool_id, MaxResults=9)["UserPoolClients"]


def test_a_trigger_that_refuses_is_an_answer(aws, pool, journal, capsys):
    name, pool_id = pool(REFUSES, "PreSignUp", "PostAuthentication", UsernameAttributes=["email"])

    user_pool.fire(name, "PreSignUp")
    assert "PreSignUp failed with error members only." in capsys.readouterr().out
    assert eventually(lambda: called(journal, pool_id)) == {"PreSignUp_SignUp"}
    with pytest.raises(DeployError, match="PostAuthentication was not reached"):
        user_pool.fire(name, "PostAuthentication")
    assert not aws("cognito-idp").list_users(UserPoolId=pool_id)["Users"]


@pytest.mark.long
def test_the_list_has_a_command_for_every_trigger(journal):
    listed = bootstrap("fire").stdout.splitlines()
    commands = [line for line in listed if line.startswith("     ")]
    assert len(commands) > 40
    assert not [line for line in commands if "\u2026" in line or line.strip().startswith("(")]
    for words in ("fire-table TABLE=brands", "fire-pipe PIPE=brand-changes", "mail-in FILE="):
        assert [line for line in commands if words in line], listed
    command = f"fire-user-pool POOL={POOL} TRIGGER=DefineAuthChallenge"
    (place,) = [index for index, line in enumerate(listed) if command in line]

    assert command in bootstrap("fire", "--number", listed[place - 1].split()[0]).stdout
    words = said("fire-user-pool", POOL, "DefineAuthChallenge")

    user = words.split(" for ")[1].split(":")[0]
    assert "asked for CUSTOM_CHALLENGE" in words
    assert eventually(lambda: journal.find(function="brand_admin_signin", text=user))
    unknown = bootstrap("fire-user-pool", POOL, "PreSignUp")
    assert unknown.returncode == 2
    assert "It has: CreateAuthChallenge, DefineAuthChallenge" in " ".join(unknown.stderr.split())
    assert bootstrap("fire-user-pool", "nobody", "PreSignUp").returncode == 2


def test_a_change_of_a_table_is_audited_and_nothing_stays(aws):
    words = said("fire-table", "brands")

    brand = words.split('"brandId": "')[1].split('"')[0]

    def audited():
        found = aws("dynamodb").query(
            TableName="brand_audit",
            KeyConditionExpression="brandId = :id",
            ExpressionAttributeValues={":id": {"S": brand}},
        )["Items"]
        assert len(found) == 3, found
        return [one["what"]["S"] for one in found]

    assert brand.startswith("fire-")
    assert eventually(audited) == ["created", "changed", "removed"]
    key = {"brandId": {"S": brand}}
    assert "Item" not in aws("dynamodb").get_item(TableName="brands", Key=key)


def test_an_item_that_is_there_stays(aws, brand_id):
    key = {"brandId": {"S": brand_id}}
    aws("dynamodb").put_item(TableName="brands", Item={**key, "name": {"S": "Acme"}})

    with pytest.raises(WrongUseError, match="it stays as it is"):
        table.fire("brands", json.dumps(key))

    assert aws("dynamodb").get_item(TableName="brands", Key=key)["Item"]["name"] == {"S": "Acme"}
    aws("dynamodb").delete_item(TableName="brands", Key=key)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody", "{}"), "no such table. There are:"),
        (("brand_audit", "{}"), "it has no stream"),
        (("brands", "{"), "no JSON"),
        (("brands", '{"brandId": "x"}'), "write attributes in DynamoDB's JSON"),
        (("brands", '{"name": {"N": "x"}}'), "TABLE=brands:"),
    ],
)
def test_what_cannot_be_fired_is_said(arguments, words):
    with pytest.raises(WrongUseError, match=re.escape(words)):
        table.fire(*arguments)


def test_a_pipe_of_a_table_gets_an_item_that_its_filter_takes():
    words = said("fire-pipe", "brand-changes")

    brand = words.split('"brandId": "')[1].split('"')[0]
    assert "brand-changes: changes of an item of brands put into arn:aws:dynamodb" in words
    assert brand.startswith("fire-")

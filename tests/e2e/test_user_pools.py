"""User pools of the tests' own: each trigger, and each way in which it fails."""

from __future__ import annotations

import json
import time
import uuid

import pytest
import requests
from botocore.exceptions import ClientError
from pycognito import AWSSRP

from tests.support.waiting import eventually

PASSWORD = "Correct-Horse-1"
#: What each function begins with: it prints its event, and does what the test says.
HANDLER = """
import json, time

def handler(event, context):
    print(json.dumps(event))
    source, request, response = event["triggerSource"], event["request"], event["response"]
{body}
    return event
"""


@pytest.fixture
def pool(aws, function, cleanup):
    """`pool(body, *triggers)`: id of a pool with these triggers, of a client, and the function."""

    def create(body, *triggers, allowed=True, timeout=10, **settings):
        cognito, name = aws("cognito-idp"), f"test-{uuid.uuid4().hex[:12]}"
        source = HANDLER.format(body="".join(f"    {line}\n" for line in body.splitlines()))
        arn = function(source, name, Timeout=timeout)
        config = {trigger: arn for trigger in triggers if trigger != "PreTokenGeneration V2_0"}
        if "PreTokenGeneration V2_0" in triggers:
            version = {"LambdaArn": arn, "LambdaVersion": "V2_0"}
            config["PreTokenGenerationConfig"] = version
        made = cognito.create_user_pool(PoolName=name, LambdaConfig=config, **settings)["UserPool"]
        cleanup.callback(cognito.delete_user_pool, UserPoolId=made["Id"])
        client = cognito.create_user_pool_client(
            UserPoolId=made["Id"],
            ClientName=name,
            ExplicitAuthFlows=[
                "ALLOW_USER_PASSWORD_AUTH",
                "ALLOW_USER_SRP_AUTH",
                "ALLOW_REFRESH_TOKEN_AUTH",
            ],
        )["UserPoolClient"]["ClientId"]
        if allowed:
            allow(aws, name, made["Arn"])
        return made["Id"], client, name

    return create


def allow(aws, function, pool_arn):
    aws("lambda").add_permission(
        FunctionName=function,
        StatementId=uuid.uuid4().hex,
        Action="lambda:InvokeFunction",
        Principal="cognito-idp.amazonaws.com",
        SourceArn=pool_arn,
    )


def sign_up(aws, client, name="ann", email=None, **more):
    given = [{"Name": "email", "Value": email or f"{name}@acme.example"}]
    return aws("cognito-idp").sign_up(
        ClientId=client, Username=name, Password=PASSWORD, UserAttributes=given, **more
    )


def sign_in(aws, client, name="ann", password=PASSWORD):
    parameters = {"USERNAME": name, "PASSWORD": password}
    return aws("cognito-idp").initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH", ClientId=client, AuthParameters=parameters
    )


def refused(call, *arguments, **named):
    """Code and message of the error."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_pre_sign_up_that_refuses(aws, pool):
    body = 'if request["validationData"] is None:\n    raise ValueError("invitation missing")'
    pool_id, client, _ = pool(body, "PreSignUp")

    assert refused(sign_up, aws, client) == (
        "UserLambdaValidationException",
        "PreSignUp failed with error invitation missing.",
    )
    assert not aws("cognito-idp").list_users(UserPoolId=pool_id)["Users"]
    data = [{"Name": "invitation", "Value": "x"}]
    assert sign_up(aws, client, ValidationData=data)["UserConfirmed"] is False


def test_a_user_confirms_by_mail_and_the_words_are_the_functions(aws, pool, mails, journal):
    body = (
        'if source == "CustomMessage_SignUp":\n'
        '    response["emailSubject"] = "Welcome"\n'
        '    response["emailMessage"] = f"Your code: {request[\'codeParameter\']}"'
    )
    triggers = ("CustomMessage", "PostConfirmation", "PreAuthentication", "PostAuthentication")
    _pool_id, client, function = pool(body, *triggers, AutoVerifiedAttributes=["email"])
    email = f"{uuid.uuid4().hex[:12]}@acme.example"

    sign_up(aws, client, email=email)

    assert refused(sign_in, aws, client)[0] == "UserNotConfirmedException"
    (mail,) = mails(email)
    assert mail["Subject"] == "Welcome"
    code = mail["Body"]["text_part"].removeprefix("Your code: ")
    confirm = {"ClientId": client, "Username": "ann", "ConfirmationCode": code}
    aws("cognito-idp").confirm_sign_up(**confirm)
    assert refused(aws("cognito-idp").confirm_sign_up, **confirm)[0] == "NotAuthorizedException"
    token = sign_in(aws, client)["AuthenticationResult"]["AccessToken"]
    got = aws("cognito-idp").get_user(AccessToken=token)
    assert {"Name": "email_verified", "Value": "true"} in got["UserAttributes"]

    def sources():
        found = journal.find(function=function)
        payloads = [json.loads(journal.event(one["id"])["payload"]) for one in reversed(found)]
        names = sorted(one["triggerSource"] for one in payloads)
        assert len(names) == 5, names
        return names

    assert eventually(sources) == [
        "CustomMessage_SignUp",
        "PostAuthentication_Authentication",
        "PostConfirmation_ConfirmSignUp",
        "PreAuthentication_Authentication",
        "PreAuthentication_Authentication",
    ]


@pytest.mark.long
def test_a_function_that_takes_six_seconds_is_called_three_times(aws, pool, journal):
    _, client, function = pool("time.sleep(6)", "PreSignUp")
    began = time.monotonic()

    found = refused(sign_up, aws, client)

    assert found == (
        "UnexpectedLambdaException",
        "PreSignUp invocation failed due to error Socket timeout while invoking Lambda function.",
    )
    assert time.monotonic() - began >= 15

    def three():
        events = journal.find(function=function)
        assert len(events) == 3, events
        return events

    # The functions end by themselves, after nobody waits for them any longer.
    assert {one["state"] for one in eventually(three)} == {"done"}


def test_a_function_that_reaches_its_own_time_limit_has_failed(aws, pool):
    _, client, _ = pool("time.sleep(3)", "PreSignUp", timeout=1)

    code, message = refused(sign_up, aws, client)

    assert code == "UserLambdaValidationException"
    assert message.startswith("PreSignUp failed with error ")
    assert message.endswith("Task timed out after 1.00 seconds.")


def test_a_pool_needs_a_permission_of_its_own(aws, pool):
    pool_id, client, function = pool("pass", "PreSignUp", allowed=False)
    denied = (
        "UnexpectedLambdaException",
        "PreSignUp invocation failed due to error AccessDeniedException.",
    )
    arn = aws("cognito-idp").describe_user_pool(UserPoolId=pool_id)["UserPool"]["Arn"]

    assert refused(sign_up, aws, client) == denied
    allow(aws, function, f"{arn}-another")
    assert refused(sign_up, aws, client) == denied
    allow(aws, function, arn)
    assert sign_up(aws, client)["UserSub"]


def test_a_function_that_is_gone(aws, pool):
    pool_id, client, _ = pool("pass", "PreSignUp")
    cognito = aws("cognito-idp")
    config = cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]["LambdaConfig"]
    gone = {"PreSignUp": config["PreSignUp"] + "x"}
    cognito.update_user_pool(UserPoolId=pool_id, LambdaConfig=gone)

    assert refused(sign_up, aws, client)[1].endswith("AccessDeniedException.")


def test_a_function_that_returns_no_event(aws, pool):
    _, client, _ = pool('return {"statusCode": 200}', "PreSignUp")

    assert refused(sign_up, aws, client) == (
        "InvalidLambdaResponseException",
        "Unrecognizable lambda output",
    )


def test_a_user_migrates_and_its_password_is_in_no_journal(aws, pool, journal):
    body = (
        'if request["password"] != "Old-Secret-1":\n'
        '    raise ValueError("Bad password")\n'
        'response["userAttributes"] = {"email": "ann@old.example", "email_verified": "true"}\n'
        'response["finalUserStatus"] = "CONFIRMED"\n'
        'response["messageAction"] = "SUPPRESS"'
    )
    _pool_id, client, function = pool(body, "UserMigration")

    assert refused(sign_in, aws, client, "ann", "wrong") == (
        "UserNotFoundException",
        f"Exception migrating user in app client {client}",
    )
    assert "AuthenticationResult" in sign_in(aws, client, "ann", "Old-Secret-1")
    assert "AuthenticationResult" in sign_in(aws, client, "ann", "Old-Secret-1")

    def both():
        events = journal.find(function=function)
        assert len(events) == 2, events
        return events

    ways = [journal.trace(one["id"]) for one in eventually(both)]
    assert "Old-Secret-1" not in str(ways)


def test_srp_tokens_with_changed_claims_and_a_rest_api_that_takes_them(
    aws, pool, settings, cleanup
):
    body = (
        'if source.startswith("TokenGeneration"):\n'
        '    response["claimsAndScopeOverrideDetails"] = {\n'
        '        "idTokenGeneration": {"claimsToAddOrOverride": {"tenant": "acme"}},\n'
        '        "accessTokenGeneration": {"scopesToAdd": ["brands/read"]},\n'
        "    }\n"
        'elif source == "PreSignUp_SignUp":\n'
        '    response["autoConfirmUser"] = True'
    )
    pool_id, client, _ = pool(body, "PreSignUp", "PreTokenGeneration V2_0")
    assert sign_up(aws, client)["UserConfirmed"] is True
    srp = AWSSRP("ann", PASSWORD, pool_id, client, client=aws("cognito-idp"))
    tokens = srp.authenticate_user()["AuthenticationResult"]
    url = rest_api(aws, settings, cleanup, pool_id)

    def get(path, token=""):
        return requests.get(f"{url}/{path}", headers={"Authorization": token}, timeout=60)

    eventually(lambda: get("open", tokens["IdToken"]).status_code == 200)
    assert get("open").status_code == 401
    assert get("open", tokens["AccessToken"]).status_code == 401  # an identity token is asked for
    assert get("scoped", tokens["AccessToken"]).status_code == 200
    assert get("scoped", tokens["IdToken"]).status_code == 401
    wrong = AWSSRP("ann", "Wrong-Horse-1", pool_id, client, client=aws("cognito-idp"))
    assert refused(wrong.authenticate_user)[1] == "Incorrect username or password."


def rest_api(aws, settings, cleanup, pool_id):
    """A REST API whose methods want tokens of a pool; its URL."""
    gateway = aws("apigateway")
    api = gateway.create_rest_api(name=f"test-{uuid.uuid4().hex[:12]}")["id"]
    cleanup.callback(gateway.delete_rest_api, restApiId=api)
    (root,) = gateway.get_resources(restApiId=api)["items"]
    authorizer = gateway.create_authorizer(
        restApiId=api,
        name="pool",
        type="COGNITO_USER_POOLS",
        providerARNs=[f"arn:aws:cognito-idp:us-east-1:000000000000:userpool/{pool_id}"],
        identitySource="method.request.header.Authorization",
    )["id"]
    for path, scopes in (("open", []), ("scoped", ["brands/read"])):
        resource = gateway.create_resource(restApiId=api, parentId=root["id"], pathPart=path)
        place = {"restApiId": api, "resourceId": resource["id"], "httpMethod": "GET"}
        gateway.put_method(
            **place,
            authorizationType="COGNITO_USER_POOLS",
            authorizerId=authorizer,
            **({"authorizationScopes": scopes} if scopes else {}),
        )
        template = {"application/json": '{"statusCode": 200}'}
        gateway.put_integration(**place, type="MOCK", requestTemplates=template)
        gateway.put_method_response(**place, statusCode="200")
        gateway.put_integration_response(**place, statusCode="200")
    gateway.create_deployment(restApiId=api, stageName="test")
    return f"{settings.http_api_url}/_rest-api/{api}/test"


def test_a_phone_gets_a_text_message(aws, pool, settings):
    _pool_id, client, _ = pool("pass", AutoVerifiedAttributes=["phone_number"])
    number = f"+4915{uuid.uuid4().int % 10**9:09d}"

    aws("cognito-idp").sign_up(
        ClientId=client,
        Username="ann",
        Password=PASSWORD,
        UserAttributes=[{"Name": "phone_number", "Value": number}],
    )

    shown = requests.get(f"{settings.endpoint_url}/_aws/sns/sms-messages", timeout=60).json()
    (message,) = shown["sms_messages"][number]
    assert "verification code" in message["Message"]


def test_what_the_stack_lacks_is_refused_by_name(aws):
    cognito, arn = aws("cognito-idp"), "arn:aws:lambda:us-east-1:000000000000:function:f"
    key = "arn:aws:kms:us-east-1:000000000000:key/k"
    sender = {"LambdaVersion": "V1_0", "LambdaArn": arn}
    config = {"CustomEmailSender": sender, "KMSKeyID": key}

    assert refused(cognito.create_user_pool, PoolName="no", LambdaConfig=config) == (
        "UnsupportedFeature",
        "The trigger CustomEmailSender is not part of this stack.",
    )
    assert refused(cognito.create_user_pool, PoolName="no", MfaConfiguration="ON")[0] == (
        "UnsupportedFeature"
    )

"""New users: what is asked of them, which triggers are called, and how they confirm."""

from __future__ import annotations

from typing import Any

import pytest
from user_pool_fakes import ARN, PASSWORD, Attribute, Stack

from trigger_stack.services.errors import ServiceError

EMAIL = [{"Name": "email", "Value": "ann@example.com"}]


def sign_up(stack: Stack, **more: Any) -> dict[str, Any]:
    request = {"Username": "ann", "Password": PASSWORD, "UserAttributes": EMAIL} | more
    return stack("SignUp", **request)


def problem(call: Any, *arguments: Any, **named: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        call(*arguments, **named)
    return caught.value.code, caught.value.message


def test_a_user_confirms_with_the_code_that_was_mailed(stack: Stack) -> None:
    answer = sign_up(stack)

    assert answer["UserConfirmed"] is False
    assert answer["CodeDeliveryDetails"] == {
        "Destination": "a***@e***",
        "DeliveryMedium": "EMAIL",
        "AttributeName": "email",
    }
    assert problem(stack.sign_in)[0] == "UserNotConfirmedException"
    stack("ConfirmSignUp", Username="ann", ConfirmationCode=stack.post.code)
    assert stack.pool.users["ann"].attribute_lookup["email_verified"] == "true"
    assert "AccessToken" in stack.sign_in()["AuthenticationResult"]


def test_no_password_is_kept(stack: Stack) -> None:
    sign_up(stack)

    assert PASSWORD not in repr(stack.pool)


def test_the_pre_sign_up_event_is_awss(stack: Stack) -> None:
    stack.trigger("PreSignUp", lambda event: None)
    data = [{"Name": "a", "Value": "b"}]

    sign_up(stack, ValidationData=data, ClientMetadata={"c": "d"})

    (event,) = stack.functions.events
    assert event == {
        "version": "1",
        "region": "us-east-1",
        "userPoolId": stack.pool.id,
        "userName": "ann",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "client"},
        "triggerSource": "PreSignUp_SignUp",
        "request": {
            "userAttributes": {"email": "ann@example.com"},
            "validationData": {"a": "b"},
            "clientMetadata": {"c": "d"},
        },
        "response": {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
    }


def test_the_trigger_confirms_and_verifies(stack: Stack) -> None:
    def confirm(event: dict[str, Any]) -> None:
        event["response"] |= {"autoConfirmUser": True, "autoVerifyEmail": True}

    stack.trigger("PreSignUp", confirm)
    stack.trigger("PostConfirmation", lambda event: None)

    assert sign_up(stack)["UserConfirmed"] is True

    assert not stack.post.mails
    assert stack.functions.sources() == ["PreSignUp_SignUp", "PostConfirmation_ConfirmSignUp"]
    attributes = stack.functions.events[1]["request"]["userAttributes"]
    assert attributes["email_verified"] == "true"
    assert attributes["cognito:user_status"] == "CONFIRMED"
    assert attributes["sub"] == stack.pool.users["ann"].id


def test_a_refusal_of_the_trigger_leaves_no_user(stack: Stack) -> None:
    def refuse(event: dict[str, Any]) -> None:
        raise ValueError("not from there")

    stack.trigger("PreSignUp", refuse)

    assert problem(sign_up, stack) == (
        "UserLambdaValidationException",
        "PreSignUp failed with error not from there.",
    )
    assert not stack.pool.users
    assert not stack.post.mails


def test_what_cannot_be_verified_is_refused(stack: Stack) -> None:
    stack.trigger("PreSignUp", lambda event: event["response"].update(autoVerifyPhone=True))

    assert problem(sign_up, stack)[0] == "InvalidLambdaResponseException"
    assert not stack.pool.users


def test_a_failing_post_confirmation_is_told_and_the_user_stays_confirmed(stack: Stack) -> None:
    sign_up(stack)
    code = stack.post.code

    def fail(event: dict[str, Any]) -> None:
        raise ValueError("no room")

    stack.trigger("PostConfirmation", fail)

    found = problem(stack, "ConfirmSignUp", Username="ann", ConfirmationCode=code)
    assert found == ("UserLambdaValidationException", "PostConfirmation failed with error no room.")
    assert stack.pool.users["ann"].status == "CONFIRMED"


def test_a_wrong_code_an_expired_code_and_too_many(stack: Stack) -> None:
    sign_up(stack)
    right = stack.post.code
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"

    def confirm(code: str) -> str:
        return problem(stack, "ConfirmSignUp", Username="ann", ConfirmationCode=code)[0]

    assert confirm(wrong) == "CodeMismatchException"
    stack.time += 86_400
    assert confirm(right) == "ExpiredCodeException"
    stack("ResendConfirmationCode", Username="ann")
    right = stack.post.code
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    assert {confirm(wrong) for _ in range(5)} == {"CodeMismatchException"}
    assert confirm(right) == "LimitExceededException"
    stack("ResendConfirmationCode", Username="ann")
    stack("ConfirmSignUp", Username="ann", ConfirmationCode=stack.post.code)


def test_custom_words_of_each_message(stack: Stack) -> None:
    def words(event: dict[str, Any]) -> None:
        request = event["request"]
        named = f" for {request['usernameParameter']}" if request["usernameParameter"] else ""
        event["response"] |= {
            "emailSubject": event["triggerSource"],
            "emailMessage": f"Use {request['codeParameter']}{named}",
        }

    stack.trigger("CustomMessage", words)

    sign_up(stack)
    stack("ResendConfirmationCode", Username="ann")
    email = [{"Name": "email", "Value": "bob@example.com"}]
    stack("AdminCreateUser", Username="bob", UserAttributes=email, TemporaryPassword=PASSWORD)
    stack("ConfirmSignUp", Username="ann", ConfirmationCode=stack.post.mails[1][2].split()[1])
    stack("ForgotPassword", Username="ann")

    assert [subject for _, subject, _ in stack.post.mails] == [
        "CustomMessage_SignUp",
        "CustomMessage_ResendCode",
        "CustomMessage_AdminCreateUser",
        "CustomMessage_ForgotPassword",
    ]
    assert stack.post.mails[2][2] == f"Use {PASSWORD} for bob"


def test_a_message_without_its_code_is_refused(stack: Stack) -> None:
    stack.trigger("CustomMessage", lambda event: event["response"].update(emailMessage="hello"))

    assert problem(sign_up, stack)[0] == "InvalidLambdaResponseException"
    assert not stack.post.mails


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("Sh0rt!", "Password not long enough"),
        ("no-upper-1", "Password must have uppercase characters"),
        ("NO-LOWER-1", "Password must have lowercase characters"),
        ("No-numbers", "Password must have numeric characters"),
        ("NoSymbols1", "Password must have symbol characters"),
    ],
)
def test_the_password_policy(stack: Stack, password: str, why: str) -> None:
    code, message = problem(sign_up, stack, Password=password)

    assert (code, message) == (
        "InvalidPasswordException",
        f"Password did not conform with policy: {why}",
    )


def test_attributes_follow_the_schema(stack: Stack) -> None:
    def attempt(name: str, value: str) -> str:
        given = [*EMAIL, {"Name": name, "Value": value}]
        return problem(sign_up, stack, UserAttributes=given)[0]

    assert attempt("custom:unknown", "x") == "InvalidParameterException"
    assert attempt("custom:tier", "gold") == "InvalidParameterException"
    assert attempt("email", "no address") == "InvalidParameterException"
    assert attempt("phone_number", "0049") == "InvalidParameterException"
    assert attempt("email_verified", "true") == "NotAuthorizedException"
    assert attempt("sub", "x") == "NotAuthorizedException"
    stack.pool.schema_attributes["name"] = Attribute(required=True)
    assert "name: The attribute is required" in problem(sign_up, stack)[1]


def test_a_name_is_taken_once(stack: Stack) -> None:
    sign_up(stack)

    assert problem(sign_up, stack) == ("UsernameExistsException", "User already exists")


def test_somebody_else_takes_the_name_while_the_trigger_runs(stack: Stack) -> None:
    stack.trigger("PreSignUp", lambda event: stack.user("ann") and None)

    assert problem(sign_up, stack)[0] == "UsernameExistsException"


def test_email_as_the_name(stack: Stack) -> None:
    stack.pool.extended_config["UsernameAttributes"] = ["email"]
    stack.trigger("PreSignUp", lambda event: None)

    answer = sign_up(stack, Username="ann@example.com", UserAttributes=[])

    assert stack.functions.events[0]["userName"] == answer["UserSub"]
    stack("ConfirmSignUp", Username="ann@example.com", ConfirmationCode=stack.post.code)
    assert "AuthenticationResult" in stack.sign_in("ann@example.com")
    taken = problem(sign_up, stack, Username="ann@example.com")
    assert taken == (
        "UsernameExistsException",
        "An account with the given email already exists.",
    )
    assert problem(sign_up, stack, Username="ann")[0] == "InvalidParameterException"


def test_only_administrators_make_users(stack: Stack) -> None:
    stack.pool.extended_config["AdminCreateUserConfig"] = {"AllowAdminCreateUserOnly": True}

    assert problem(sign_up, stack) == (
        "NotAuthorizedException",
        "SignUp is not permitted for this user pool",
    )


def test_an_administrators_user_gets_a_password_that_must_be_changed(stack: Stack) -> None:
    stack.trigger("PreSignUp", lambda event: event["response"].update(autoConfirmUser=True))

    made = stack("AdminCreateUser", Username="bob", UserAttributes=EMAIL)["User"]

    assert made["UserStatus"] == "FORCE_CHANGE_PASSWORD"  # the trigger cannot confirm this one
    assert stack.functions.sources() == ["PreSignUp_AdminCreateUser"]
    assert stack.functions.events[0]["callerContext"]["clientId"] == "CLIENT_ID_NOT_APPLICABLE"
    ((address, _, body),) = stack.post.mails
    password = body.split("password is ")[1].removesuffix(". ")
    assert address == "ann@example.com"
    challenge = stack.sign_in("bob", password)
    assert challenge["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    stack.time += 7 * 86_400
    assert "expired" in problem(stack.sign_in, "bob", password)[1]


def test_a_text_message_goes_to_a_phone(stack: Stack) -> None:
    stack.pool.extended_config["AutoVerifiedAttributes"] = ["phone_number"]
    phone = [{"Name": "phone_number", "Value": "+4915112345678"}]

    answer = sign_up(stack, UserAttributes=phone)

    assert answer["CodeDeliveryDetails"]["Destination"].endswith("5678")
    ((number, text),) = stack.post.texts
    assert number == "+4915112345678"
    assert "verification code" in text


def test_a_client_with_a_secret_asks_for_its_proof(stack: Stack) -> None:
    stack.client.generate_secret = True

    assert "SECRET_HASH was not received" in problem(sign_up, stack)[1]
    assert "does not match" in problem(sign_up, stack, SecretHash="x")[1]


def test_only_functions_can_be_triggers() -> None:
    from trigger_stack.services.cognito.pools import check_pool

    check_pool({"LambdaConfig": {"PreSignUp": ARN, "PostConfirmation": f"{ARN}:live"}})
    for config, code in (
        ({"PreSignUp": "arn:aws:sqs:us-east-1:000000000000:q"}, "InvalidParameterException"),
        ({"CustomEmailSender": {"LambdaArn": ARN}}, "UnsupportedFeature"),
        (
            {"PreTokenGenerationConfig": {"LambdaArn": ARN, "LambdaVersion": "V9_0"}},
            "InvalidParameterException",
        ),
    ):
        assert problem(check_pool, {"LambdaConfig": config})[0] == code
    assert problem(check_pool, {"MfaConfiguration": "ON"})[0] == "UnsupportedFeature"

"""Passwords and contacts of users that are there."""

from __future__ import annotations

from typing import Any

import pytest
from user_pool_fakes import PASSWORD, Stack

from trigger_stack.services.errors import ServiceError

NEW = "Another-Horse-2"


def problem(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        call(*arguments, **named)
    return caught.value.code


def reset(stack: Stack, code: str) -> Any:
    return stack("ConfirmForgotPassword", Username="ann", ConfirmationCode=code, Password=NEW)


def test_a_forgotten_password(stack: Stack) -> None:
    stack.user()
    stack.trigger("PostConfirmation", lambda event: None)

    details = stack("ForgotPassword", Username="ann")["CodeDeliveryDetails"]

    assert details["Destination"] == "a***@e***"
    code = stack.post.code
    assert problem(reset, stack, "wrong") == "CodeMismatchException"
    reset(stack, code)
    assert problem(reset, stack, code) == "ExpiredCodeException"
    assert stack.functions.sources() == ["PostConfirmation_ConfirmForgotPassword"]
    assert problem(stack.sign_in) == "NotAuthorizedException"
    assert "AuthenticationResult" in stack.sign_in(password=NEW)


def test_a_reset_code_is_valid_for_an_hour(stack: Stack) -> None:
    stack.user()
    stack("ForgotPassword", Username="ann")
    stack.time += 3600

    assert problem(reset, stack, stack.post.code) == "ExpiredCodeException"


def test_who_cannot_reset(stack: Stack) -> None:
    stack.user(email_verified="false")

    assert problem(stack, "ForgotPassword", Username="bob") == "UserNotFoundException"
    assert problem(stack, "ForgotPassword", Username="ann") == "InvalidParameterException"
    stack.client.extended_config["PreventUserExistenceErrors"] = "ENABLED"
    for name in ("ann", "bob"):
        assert stack("ForgotPassword", Username=name)["CodeDeliveryDetails"]
    assert not stack.post.mails


def test_an_administrator_resets_and_sets(stack: Stack) -> None:
    stack.user()

    stack("AdminResetUserPassword", Username="ann")
    assert problem(stack.sign_in) == "PasswordResetRequiredException"
    reset(stack, stack.post.code)
    assert "AuthenticationResult" in stack.sign_in(password=NEW)
    stack("AdminSetUserPassword", Username="ann", Password=PASSWORD, Permanent=False)
    assert stack.sign_in()["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    stack("AdminSetUserPassword", Username="ann", Password=PASSWORD, Permanent=True)
    assert "AuthenticationResult" in stack.sign_in()


def test_changing_ones_own_password(stack: Stack) -> None:
    stack.user()
    token = stack.sign_in()["AuthenticationResult"]["AccessToken"]

    def change(previous: str) -> Any:
        return stack(
            "ChangePassword", AccessToken=token, PreviousPassword=previous, ProposedPassword=NEW
        )

    assert problem(change, "wrong") == "NotAuthorizedException"
    change(PASSWORD)
    assert "AuthenticationResult" in stack.sign_in(password=NEW)


def test_a_new_contact_is_verified_by_a_code(stack: Stack) -> None:
    user = stack.user()
    token = stack.sign_in()["AuthenticationResult"]["AccessToken"]
    stack.trigger("CustomMessage", lambda event: None)

    changed = stack(
        "UpdateUserAttributes",
        AccessToken=token,
        UserAttributes=[{"Name": "email", "Value": "new@example.com"}],
    )

    assert len(changed["CodeDeliveryDetailsList"]) == 1
    assert user.attribute_lookup["email_verified"] == "false"
    first = stack.post.code
    stack("GetUserAttributeVerificationCode", AccessToken=token, AttributeName="email")
    if first != stack.post.code:
        wrong = {"AccessToken": token, "AttributeName": "email", "Code": first}
        assert problem(stack, "VerifyUserAttribute", **wrong) == "CodeMismatchException"
    stack("VerifyUserAttribute", AccessToken=token, AttributeName="email", Code=stack.post.code)
    assert user.attribute_lookup["email_verified"] == "true"
    assert stack.functions.sources() == [
        "CustomMessage_UpdateUserAttribute",
        "CustomMessage_VerifyUserAttribute",
    ]


def test_an_address_that_one_signs_in_with_belongs_to_one_user(stack: Stack) -> None:
    stack.pool.extended_config["UsernameAttributes"] = ["email"]
    stack.user("bob")
    stack.user()
    email = [{"Name": "email", "Value": "bob@example.com"}]
    token = stack.sign_in("ann@example.com")["AuthenticationResult"]["AccessToken"]

    own = {"AccessToken": token, "UserAttributes": email}
    assert problem(stack, "UpdateUserAttributes", **own) == "AliasExistsException"
    by_admin = {"Username": "ann", "UserAttributes": email}
    assert problem(stack, "AdminUpdateUserAttributes", **by_admin) == "AliasExistsException"
    assert "AuthenticationResult" in stack.sign_in("ann@example.com")


def test_an_alias_moves_only_when_it_is_asked_for(stack: Stack) -> None:
    stack.pool.extended_config["AliasAttributes"] = ["email"]
    stack.user("bob", email="shared@example.com")
    email = [{"Name": "email", "Value": "shared@example.com"}]
    stack("SignUp", Username="ann", Password=NEW, UserAttributes=email)
    confirm = {"Username": "ann", "ConfirmationCode": stack.post.code}

    assert problem(stack, "ConfirmSignUp", **confirm) == "AliasExistsException"
    assert "AuthenticationResult" in stack.sign_in("shared@example.com")
    stack("ResendConfirmationCode", Username="ann")
    confirm["ConfirmationCode"] = stack.post.code
    stack("ConfirmSignUp", **confirm, ForceAliasCreation=True)
    assert "AuthenticationResult" in stack.sign_in("shared@example.com", NEW)


def test_a_deleted_user_has_no_token(stack: Stack) -> None:
    stack.user()
    token = stack.sign_in()["AuthenticationResult"]["AccessToken"]

    stack("DeleteUser", AccessToken=token)

    assert problem(stack, "GetUser", AccessToken=token) == "NotAuthorizedException"
    stack.user()  # another one of that name
    assert problem(stack, "GetUser", AccessToken=token) == "NotAuthorizedException"


def test_multi_factor_authentication_is_refused_by_name(stack: Stack) -> None:
    stack.user()
    token = stack.sign_in()["AuthenticationResult"]["AccessToken"]

    assert problem(stack, "AssociateSoftwareToken", AccessToken=token) == "UnsupportedFeature"

"""Sign-in by password, by SRP, and after it: tokens, their refresh and their end."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from pycognito import AWSSRP
from user_pool_fakes import PASSWORD, Attribute, FakeGroup, Stack

from trigger_stack.services.errors import ServiceError
from trigger_stack_engine.front_doors.core.token_times import UNCHECKED, check_times


def problem(call: Any, *arguments: Any, **named: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        call(*arguments, **named)
    return caught.value.code, caught.value.message


def claims(stack: Stack, token: str) -> dict[str, Any]:
    """The claims of a token, checked as anybody would: by the published keys."""
    (key,) = jwt.PyJWKSet.from_dict(stack.service.core.tokens.jwks(stack.pool.id)).keys
    assert jwt.get_unverified_header(token)["kid"] == key.key_id
    found: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        options={"verify_aud": False, **UNCHECKED},
        issuer=f"https://cognito-idp.us-east-1.amazonaws.com/{stack.pool.id}",
    )
    check_times(found, stack.time)
    return found


# -- by password ------------------------------------------------------------------------------


def test_the_tokens_say_what_awss_say(stack: Stack) -> None:
    user = stack.user(**{"custom:tier": "pro"})
    user.groups = {
        FakeGroup("writers", 2, "arn:aws:iam::0:role/w"),
        FakeGroup("admins", 1, "arn:aws:iam::0:role/a"),
        FakeGroup("all"),
    }

    result = stack.sign_in()["AuthenticationResult"]

    access, identity = claims(stack, result["AccessToken"]), claims(stack, result["IdToken"])
    assert access["token_use"] == "access"
    assert access["client_id"] == "client"
    assert access["username"] == "ann"
    assert access["scope"] == "aws.cognito.signin.user.admin"
    assert access["cognito:groups"] == ["admins", "writers", "all"]
    assert "aud" not in access
    assert identity["token_use"] == "id"
    assert identity["aud"] == "client"
    assert identity["cognito:username"] == "ann"
    assert identity["cognito:preferred_role"] == "arn:aws:iam::0:role/a"
    assert identity["email_verified"] is True
    assert identity["custom:tier"] == "pro"
    for name in ("sub", "origin_jti", "event_id", "auth_time"):
        assert access[name] == identity[name]
    assert access["jti"] != identity["jti"]
    assert access["exp"] - access["iat"] == 3600
    assert result["ExpiresIn"] == 3600


def test_a_client_sets_how_long_tokens_last_and_what_it_reads(stack: Stack) -> None:
    stack.user(**{"custom:tier": "pro"})
    stack.client.extended_config |= {
        "AccessTokenValidity": 5,
        "IdTokenValidity": 2,
        "TokenValidityUnits": {"AccessToken": "minutes"},
        "ReadAttributes": ["email"],
    }

    result = stack.sign_in()["AuthenticationResult"]

    access, identity = claims(stack, result["AccessToken"]), claims(stack, result["IdToken"])
    assert access["exp"] - access["iat"] == 300
    assert identity["exp"] - identity["iat"] == 7200
    assert "custom:tier" not in identity
    got = stack("GetUser", AccessToken=result["AccessToken"])
    assert {one["Name"] for one in got["UserAttributes"]} == {"sub", "email"}


def test_the_triggers_of_a_sign_in_in_their_order(stack: Stack) -> None:
    stack.user()
    for name in ("PreAuthentication", "PostAuthentication", "PreTokenGeneration"):
        stack.trigger(name, lambda event: None)

    stack.sign_in(ClientMetadata={"device": "watch"})

    before, after, tokens = stack.functions.events
    assert before["triggerSource"] == "PreAuthentication_Authentication"
    assert before["request"]["validationData"] == {"device": "watch"}
    assert after["triggerSource"] == "PostAuthentication_Authentication"
    assert after["request"]["newDeviceUsed"] is False
    assert tokens["triggerSource"] == "TokenGeneration_Authentication"
    assert tokens["version"] == "1"
    assert tokens["request"]["groupConfiguration"] == {
        "groupsToOverride": [],
        "iamRolesToOverride": [],
        "preferredRole": None,
    }
    assert tokens["response"] == {"claimsOverrideDetails": None}
    assert "clientMetadata" not in tokens["request"]  # InitiateAuth does not pass it on


def test_a_failing_post_authentication_gives_no_tokens(stack: Stack) -> None:
    stack.user()

    def fail(event: dict[str, Any]) -> None:
        raise ValueError("no")

    stack.trigger("PostAuthentication", fail)

    assert problem(stack.sign_in) == (
        "UserLambdaValidationException",
        "PostAuthentication failed with error no.",
    )


def test_who_may_not_sign_in(stack: Stack) -> None:
    user = stack.user()
    wrong = ("NotAuthorizedException", "Incorrect username or password.")

    assert problem(stack.sign_in, password="wrong") == wrong
    assert problem(stack.sign_in, "bob") == ("UserNotFoundException", "User does not exist.")
    stack.client.extended_config["PreventUserExistenceErrors"] = "ENABLED"
    assert problem(stack.sign_in, "bob") == wrong
    user.enabled = False
    assert problem(stack.sign_in) == ("NotAuthorizedException", "User is disabled.")
    user.enabled, user.status = True, "RESET_REQUIRED"
    assert problem(stack.sign_in)[0] == "PasswordResetRequiredException"
    user.status = "CONFIRMED"
    stack.client.extended_config["ExplicitAuthFlows"] = ["ALLOW_USER_SRP_AUTH"]
    assert problem(stack.sign_in) == (
        "InvalidParameterException",
        "USER_PASSWORD_AUTH flow not enabled for this client",
    )
    stack.client.extended_config["ExplicitAuthFlows"] = ["ALLOW_CUSTOM_AUTH"]
    parameters = {"USERNAME": "ann", "SRP_A": "ab"}
    found = problem(stack, "InitiateAuth", AuthFlow="USER_SRP_AUTH", AuthParameters=parameters)
    assert found[1] == "USER_SRP_AUTH is not enabled for the client."


def test_five_wrong_passwords_lock_the_user(stack: Stack) -> None:
    stack.user()
    for _ in range(5):
        assert problem(stack.sign_in, password="wrong")[1] == "Incorrect username or password."

    assert problem(stack.sign_in) == ("NotAuthorizedException", "Password attempts exceeded")


def test_a_new_password_is_asked_for(stack: Stack) -> None:
    user = stack.user()
    user.status = "FORCE_CHANGE_PASSWORD"
    stack.pool.schema_attributes["name"] = Attribute(required=True)
    stack.trigger("PreTokenGeneration", lambda event: None)
    challenge = stack.sign_in()
    assert json.loads(challenge["ChallengeParameters"]["requiredAttributes"]) == [
        "userAttributes.name"
    ]

    def respond(**answers: str) -> Any:
        return stack(
            "RespondToAuthChallenge",
            ChallengeName="NEW_PASSWORD_REQUIRED",
            Session=challenge["Session"],
            ChallengeResponses={"USERNAME": "ann", **answers},
        )

    assert problem(respond, NEW_PASSWORD="weak")[0] == "InvalidPasswordException"
    assert "name" in problem(respond, NEW_PASSWORD="Another-Horse-2")[1]
    named = {"userAttributes.name": "Ann"}
    assert "AccessToken" in respond(NEW_PASSWORD="Another-Horse-2", **named)["AuthenticationResult"]
    assert stack.functions.sources() == ["TokenGeneration_NewPasswordChallenge"]
    assert problem(respond, NEW_PASSWORD="Another-Horse-2", **named)[0] == "NotAuthorizedException"
    assert "AuthenticationResult" in stack.sign_in(password="Another-Horse-2")


# -- SRP --------------------------------------------------------------------------------------


class Service:
    """What pycognito takes for boto3's client."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def initiate_auth(self, **request: Any) -> Any:
        return self._stack("InitiateAuth", **request)

    def respond_to_auth_challenge(self, **request: Any) -> Any:
        return self._stack("RespondToAuthChallenge", **request)


def by_srp(stack: Stack, password: str = PASSWORD, name: str = "ann", **more: Any) -> Any:
    client = AWSSRP(name, password, stack.pool.id, "client", client=Service(stack), **more)
    return client.authenticate_user()


def test_another_implementation_of_srp_signs_in(stack: Stack) -> None:
    stack.user()

    for _ in range(10):  # numbers with and without a leading zero
        assert "AccessToken" in by_srp(stack)["AuthenticationResult"]


def test_srp_with_a_wrong_password(stack: Stack) -> None:
    stack.user()

    assert problem(by_srp, stack, "Wrong-Horse-1")[1] == "Incorrect username or password."


def test_srp_of_a_user_that_does_not_exist_looks_alike(stack: Stack) -> None:
    assert problem(by_srp, stack, name="bob")[0] == "UserNotFoundException"
    stack.client.extended_config["PreventUserExistenceErrors"] = "ENABLED"
    begun = [
        stack(
            "InitiateAuth",
            AuthFlow="USER_SRP_AUTH",
            AuthParameters={"USERNAME": "bob", "SRP_A": "ab" * 384},
        )["ChallengeParameters"]["SALT"]
        for _ in range(2)
    ]
    assert begun[0] == begun[1]
    assert problem(by_srp, stack, name="bob")[1] == "Incorrect username or password."


def test_srp_of_a_client_with_a_secret(stack: Stack) -> None:
    stack.user()
    stack.client.generate_secret = True

    assert "AuthenticationResult" in by_srp(stack, client_secret="client-secret")


@pytest.mark.parametrize("srp_a", ["", "0", "xyz", "0" * 10, "f" * 2000])
def test_a_public_value_that_proves_nothing(stack: Stack, srp_a: str) -> None:
    stack.user()
    parameters = {"USERNAME": "ann", "SRP_A": srp_a}

    found = problem(stack, "InitiateAuth", AuthFlow="USER_SRP_AUTH", AuthParameters=parameters)
    assert found[0] == "InvalidParameterException"


def test_a_proof_counts_once(stack: Stack) -> None:
    stack.user()
    sent: list[dict[str, Any]] = []

    class Twice(Service):
        def respond_to_auth_challenge(self, **request: Any) -> Any:
            sent.append(request)
            return super().respond_to_auth_challenge(**request)

    AWSSRP("ann", PASSWORD, stack.pool.id, "client", client=Twice(stack)).authenticate_user()

    assert problem(stack, "RespondToAuthChallenge", **sent[0])[0] == "NotAuthorizedException"


# -- refresh, revocation, sign-out ------------------------------------------------------------


def refresh(stack: Stack, token: str) -> Any:
    parameters = {"REFRESH_TOKEN": token}
    answer = stack("InitiateAuth", AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters=parameters)
    return answer["AuthenticationResult"]


def test_refreshed_tokens_belong_to_the_same_sign_in(stack: Stack) -> None:
    stack.user()
    first = stack.sign_in()["AuthenticationResult"]
    stack.trigger("PreTokenGeneration", lambda event: None)
    stack.trigger("PreAuthentication", lambda event: None)

    second = refresh(stack, first["RefreshToken"])

    assert stack.functions.sources() == ["TokenGeneration_RefreshTokens"]
    assert "RefreshToken" not in second
    before, after = (claims(stack, one["AccessToken"]) for one in (first, second))
    assert before["origin_jti"] == after["origin_jti"]
    assert before["auth_time"] == after["auth_time"]
    assert before["jti"] != after["jti"]


def test_refresh_tokens_that_are_none(stack: Stack) -> None:
    stack.user()
    token = stack.sign_in()["AuthenticationResult"]["RefreshToken"]

    assert problem(refresh, stack, "nonsense")[1] == "Invalid Refresh Token"
    stack.time += 30 * 86_400
    assert problem(refresh, stack, token)[1] == "Refresh Token has expired"


def test_revoking_a_token_ends_one_sign_in(stack: Stack) -> None:
    stack.user()
    one, other = (stack.sign_in()["AuthenticationResult"] for _ in range(2))

    stack("RevokeToken", Token=one["RefreshToken"])

    assert problem(refresh, stack, one["RefreshToken"])[1] == "Refresh Token has been revoked"
    message = problem(stack, "GetUser", AccessToken=one["AccessToken"])[1]
    assert message == "Access Token has been revoked"
    assert stack("GetUser", AccessToken=other["AccessToken"])["Username"] == "ann"


def test_signing_out_everywhere_ends_all(stack: Stack) -> None:
    stack.user()
    one, other = (stack.sign_in()["AuthenticationResult"] for _ in range(2))

    stack("GlobalSignOut", AccessToken=one["AccessToken"])

    for result in (one, other):
        assert problem(refresh, stack, result["RefreshToken"])[0] == "NotAuthorizedException"
        assert problem(stack, "GetUser", AccessToken=result["AccessToken"])[1].endswith("revoked")


def test_only_access_tokens_of_the_pool_are_taken(stack: Stack) -> None:
    stack.user()
    result = stack.sign_in()["AuthenticationResult"]
    forged = jwt.encode(
        claims(stack, result["AccessToken"]), "secret-that-is-long-enough-for-hmac!", "HS256"
    )
    unsigned = jwt.encode(claims(stack, result["AccessToken"]), None, "none")
    other_pool = Stack()
    other_pool.pool.id = stack.pool.id
    other_pool.user()
    foreign = other_pool.sign_in()["AuthenticationResult"]["AccessToken"]

    for token in (result["IdToken"], forged, unsigned, foreign, "x", "a.b.c", ""):
        assert problem(stack, "GetUser", AccessToken=token)[0] == "NotAuthorizedException", token


# -- pre token generation ---------------------------------------------------------------------


def test_version_one_changes_the_identity_token(stack: Stack) -> None:
    stack.user()

    def change(event: dict[str, Any]) -> None:
        event["response"]["claimsOverrideDetails"] = {
            "claimsToAddOrOverride": {"tenant": "acme", "sub": "somebody", "aud": "everybody"},
            "claimsToSuppress": ["email", "iss"],
            "groupOverrideDetails": {"groupsToOverride": ["guests"]},
        }

    stack.trigger("PreTokenGeneration", change)

    result = stack.sign_in()["AuthenticationResult"]

    access, identity = claims(stack, result["AccessToken"]), claims(stack, result["IdToken"])
    assert identity["tenant"] == "acme"
    assert identity["sub"] == access["sub"] != "somebody"
    assert identity["aud"] == "client"
    assert "email" not in identity
    assert identity["cognito:groups"] == access["cognito:groups"] == ["guests"]
    assert "tenant" not in access


def test_version_two_changes_both_and_takes_any_json(stack: Stack) -> None:
    stack.user()
    stack.user("bob")

    def change(event: dict[str, Any]) -> None:
        event["response"]["claimsAndScopeOverrideDetails"] = {
            "idTokenGeneration": {"claimsToAddOrOverride": {"tags": [1, {"a": True}]}},
            "accessTokenGeneration": {
                "claimsToAddOrOverride": {"tenant": {"id": 7}, "client_id": "x"},
                "scopesToAdd": ["brands/read", "brands/write"],
                "scopesToSuppress": ["aws.cognito.signin.user.admin", "brands/write"],
            },
        }

    stack.trigger("PreTokenGeneration", change)
    config = stack.pool.extended_config["LambdaConfig"]
    config["PreTokenGenerationConfig"] = {
        "LambdaArn": config.pop("PreTokenGeneration"),
        "LambdaVersion": "V2_0",
    }

    result = stack.sign_in()["AuthenticationResult"]

    (event,) = stack.functions.events
    assert event["version"] == "2"
    assert event["request"]["scopes"] == ["aws.cognito.signin.user.admin"]
    access, identity = claims(stack, result["AccessToken"]), claims(stack, result["IdToken"])
    assert identity["tags"] == [1, {"a": True}]
    assert access["tenant"] == {"id": 7}
    assert access["client_id"] == "client"
    assert access["scope"] == "brands/read"


@pytest.mark.parametrize(
    "details",
    [
        {"claimsToAddOrOverride": {"n": 1}},
        {"claimsToSuppress": "email"},
        {"groupOverrideDetails": {"groupsToOverride": [1]}},
        [],
    ],
)
def test_changes_of_another_type_give_no_tokens(stack: Stack, details: Any) -> None:
    stack.user()
    stack.trigger(
        "PreTokenGeneration",
        lambda event: event["response"].update(claimsOverrideDetails=details),
    )

    assert problem(stack.sign_in)[0] == "InvalidLambdaResponseException"


def test_an_empty_group_override_takes_the_groups_away(stack: Stack) -> None:
    stack.user().groups = {FakeGroup("admins")}
    stack.trigger(
        "PreTokenGeneration",
        lambda event: event["response"].update(
            claimsOverrideDetails={"groupOverrideDetails": None}
        ),
    )

    result = stack.sign_in()["AuthenticationResult"]

    assert "cognito:groups" not in claims(stack, result["AccessToken"])


# -- migration --------------------------------------------------------------------------------


def migrating(stack: Stack, **response: Any) -> None:
    def migrate(event: dict[str, Any]) -> None:
        if event["request"]["password"] not in (None, "from-elsewhere"):
            raise ValueError("Bad password")
        event["response"] |= response

    stack.trigger("UserMigration", migrate)


MIGRATED = {"userAttributes": {"email": "ann@example.com", "email_verified": "true"}}


def test_a_user_migrates_with_its_password(stack: Stack) -> None:
    migrating(stack, **MIGRATED, finalUserStatus="CONFIRMED", messageAction="SUPPRESS")

    assert "AuthenticationResult" in stack.sign_in("ann", "from-elsewhere")
    assert "AuthenticationResult" in stack.sign_in("ann", "from-elsewhere")
    assert stack.functions.sources() == ["UserMigration_Authentication"]
    assert stack.functions.events[0]["response"]["userAttributes"] is None


@pytest.mark.parametrize("response", [{}, {"userAttributes": {}}])
def test_no_user_comes_of_an_empty_answer(stack: Stack, response: dict[str, Any]) -> None:
    migrating(stack, **response)

    assert problem(stack.sign_in, "ann", "from-elsewhere") == (
        "UserNotFoundException",
        "Exception migrating user in app client client",
    )
    stack.client.extended_config["PreventUserExistenceErrors"] = "ENABLED"
    assert problem(stack.sign_in, "ann", "from-elsewhere")[0] == "NotAuthorizedException"
    assert not stack.pool.users


def test_a_failing_migration_is_told(stack: Stack) -> None:
    migrating(stack, **MIGRATED)

    assert problem(stack.sign_in, "ann", "wrong")[0] == "UserNotFoundException"
    assert not stack.pool.users


def test_a_user_migrates_when_it_forgot_its_password(stack: Stack) -> None:
    migrating(stack, **MIGRATED, messageAction="SUPPRESS")

    stack("ForgotPassword", Username="ann")
    stack(
        "ConfirmForgotPassword", Username="ann", ConfirmationCode=stack.post.code, Password=PASSWORD
    )

    assert stack.functions.sources() == ["UserMigration_ForgotPassword"]
    assert "AuthenticationResult" in stack.sign_in()

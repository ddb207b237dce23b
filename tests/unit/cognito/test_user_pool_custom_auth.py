"""Custom authentication: who decides what, what the client sees, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from pycognito import AWSSRP
from user_pool_fakes import PASSWORD, Stack

from trigger_stack.services.errors import ServiceError


def problem(call: Any, *arguments: Any, **named: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        call(*arguments, **named)
    return caught.value.code, caught.value.message


def define(event: dict[str, Any]) -> None:
    session, response = event["request"]["session"], event["response"]
    if session and session[-1]["challengeName"] == "SRP_A":
        response |= {"challengeName": "PASSWORD_VERIFIER"}
    elif (
        session
        and session[-1]["challengeName"] == "CUSTOM_CHALLENGE"
        and (session[-1]["challengeResult"])
    ):
        response |= {"issueTokens": True, "failAuthentication": False}
    elif len([one for one in session if one["challengeName"] == "CUSTOM_CHALLENGE"]) >= 3:
        response |= {"failAuthentication": True}
    else:
        response |= {"challengeName": "CUSTOM_CHALLENGE", "issueTokens": False}


def create(event: dict[str, Any]) -> None:
    event["response"] |= {
        "publicChallengeParameters": {"question": "what?"},
        "privateChallengeParameters": {"answer": "that"},
        "challengeMetadata": "QUESTION",
    }


def verify(event: dict[str, Any]) -> None:
    request = event["request"]
    right = request["privateChallengeParameters"]["answer"] == request["challengeAnswer"]
    event["response"]["answerCorrect"] = right


@pytest.fixture
def custom(stack: Stack) -> Stack:
    stack.user()
    for name, function in (
        ("DefineAuthChallenge", define),
        ("CreateAuthChallenge", create),
        ("VerifyAuthChallengeResponse", verify),
        ("PreAuthentication", lambda event: None),
    ):
        stack.trigger(name, function)
    return stack


def begin(stack: Stack, name: str = "ann", **parameters: str) -> dict[str, Any]:
    return stack(
        "InitiateAuth", AuthFlow="CUSTOM_AUTH", AuthParameters={"USERNAME": name, **parameters}
    )


def answer(stack: Stack, session: str, text: str, name: str = "ann", **more: Any) -> Any:
    return stack(
        "RespondToAuthChallenge",
        ChallengeName="CUSTOM_CHALLENGE",
        Session=session,
        ChallengeResponses={"USERNAME": name, "ANSWER": text},
        **more,
    )


def test_the_right_answer_gives_tokens(custom: Stack) -> None:
    begun = begin(custom)

    assert begun["ChallengeName"] == "CUSTOM_CHALLENGE"
    assert begun["ChallengeParameters"] == {"question": "what?", "USERNAME": "ann"}
    result = answer(custom, begun["Session"], "that", ClientMetadata={"a": "b"})
    assert "AccessToken" in result["AuthenticationResult"]
    # AWS calls no pre authentication trigger in this flow.
    assert custom.functions.sources() == [
        "DefineAuthChallenge_Authentication",
        "CreateAuthChallenge_Authentication",
        "VerifyAuthChallengeResponse_Authentication",
        "DefineAuthChallenge_Authentication",
    ]
    defined, created, verified, again = custom.functions.events
    assert defined["request"]["session"] == []
    assert created["request"]["challengeName"] == "CUSTOM_CHALLENGE"
    assert verified["request"]["challengeAnswer"] == "that"
    assert verified["request"]["clientMetadata"] == {"a": "b"}
    assert again["request"]["session"] == [
        {
            "challengeName": "CUSTOM_CHALLENGE",
            "challengeResult": True,
            "challengeMetadata": "QUESTION",
        }
    ]
    assert "userNotFound" not in defined["request"]


def test_three_wrong_answers_end_it(custom: Stack) -> None:
    session = begin(custom)["Session"]
    for _ in range(2):
        session = answer(custom, session, "this")["Session"]

    assert problem(answer, custom, session, "this") == (
        "NotAuthorizedException",
        "Incorrect username or password.",
    )
    assert problem(answer, custom, session, "that")[0] == "NotAuthorizedException"


def test_a_session_counts_once_for_its_user_and_for_three_minutes(custom: Stack) -> None:
    custom.user("bob")
    session = begin(custom)["Session"]
    assert problem(answer, custom, session, "that", "bob")[1] == "Invalid session for the user."
    session = begin(custom)["Session"]
    answer(custom, session, "that")
    assert problem(answer, custom, session, "that")[1] == "Invalid session for the user."
    session = begin(custom)["Session"]
    custom.time += 180
    assert problem(answer, custom, session, "that")[1] == (
        "Invalid session for the user, session is expired."
    )


def test_a_user_that_does_not_exist_is_asked_and_never_let_in(custom: Stack) -> None:
    assert problem(begin, custom, "bob")[0] == "UserNotFoundException"
    custom.client.extended_config["PreventUserExistenceErrors"] = "ENABLED"

    begun = begin(custom, "bob")

    assert begun["ChallengeParameters"]["USERNAME"] == "bob"
    assert custom.functions.events[0]["request"]["userNotFound"] is True
    assert custom.functions.events[0]["request"]["userAttributes"] == {}
    assert problem(answer, custom, begun["Session"], "that", "bob")[0] == "NotAuthorizedException"


def test_a_password_first(custom: Stack) -> None:
    client = AWSSRP("ann", PASSWORD, custom.pool.id, "client", client=object())
    parameters = client.get_auth_params()
    begun = begin(custom, CHALLENGE_NAME="SRP_A", SRP_A=parameters["SRP_A"])
    assert begun["ChallengeName"] == "PASSWORD_VERIFIER"
    response = client.process_challenge(begun["ChallengeParameters"], parameters)

    challenge = custom(
        "RespondToAuthChallenge",
        ChallengeName="PASSWORD_VERIFIER",
        Session=begun["Session"],
        ChallengeResponses=response,
    )

    assert challenge["ChallengeName"] == "CUSTOM_CHALLENGE"
    assert "AuthenticationResult" in answer(custom, challenge["Session"], "that")
    names = [one["challengeName"] for one in custom.functions.events[-1]["request"]["session"]]
    assert names == ["SRP_A", "PASSWORD_VERIFIER", "CUSTOM_CHALLENGE"]


@pytest.mark.parametrize(
    "trigger", ["DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"]
)
def test_a_missing_trigger_is_named(custom: Stack, trigger: str) -> None:
    del custom.pool.extended_config["LambdaConfig"][trigger]

    def sign_in() -> Any:
        return answer(custom, begin(custom)["Session"], "that")

    assert problem(sign_in) == (
        "InvalidParameterException",
        "Custom auth lambda trigger is not configured for the user pool.",
    )


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"challengeName": "CAPTCHA"},
        {"challengeName": "PASSWORD_VERIFIER"},
        {"issueTokens": "yes"},
        {"challengeName": 1},
    ],
)
def test_a_definition_that_says_nothing(custom: Stack, response: dict[str, Any]) -> None:
    custom.trigger("DefineAuthChallenge", lambda event: event["response"].update(response))

    assert problem(begin, custom)[0] == "InvalidLambdaResponseException"


def test_parameters_must_be_text(custom: Stack) -> None:
    custom.trigger(
        "CreateAuthChallenge",
        lambda event: event["response"].update(publicChallengeParameters={"left": 3}),
    )

    assert problem(begin, custom)[0] == "InvalidLambdaResponseException"


@pytest.mark.parametrize("session", [None, "", "nonsense", "A" * 2000])
def test_sessions_that_are_none(custom: Stack, session: Any) -> None:
    found = problem(answer, custom, session, "that")

    assert found[0] in ("NotAuthorizedException", "InvalidParameterException")


def test_other_challenges_are_refused_by_name(custom: Stack) -> None:
    found = problem(
        custom,
        "RespondToAuthChallenge",
        ChallengeName="SMS_MFA",
        Session=begin(custom)["Session"],
        ChallengeResponses={"USERNAME": "ann"},
    )

    assert found == ("UnsupportedFeature", "The challenge SMS_MFA is not part of this stack.")

"""A sign-in by code: three answers, in time, and nobody learns who is an administrator."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from function_fakes import FakeSes

from functions.brand_admin_signin import handler as signin
from functions.brand_admin_signin.signin import ATTEMPTS, VALID_FOR, Code, new_code
from functions.shared.clock import utc_now

ADDRESS = "admin@brand-platform.example"


@pytest.fixture
def ses(monkeypatch):
    fake = FakeSes()
    monkeypatch.setattr(signin, "ses", fake)
    return fake


@pytest.fixture
def trigger(context):
    """Calls the function as Cognito does; returns the response."""

    def call(source, *, session=(), found=True, response=None, **request):
        event = {
            "version": "1",
            "region": "us-east-1",
            "userPoolId": "us-east-1_Abc123",
            "userName": "0b1c",
            "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "client"},
            "triggerSource": f"{source}_Authentication",
            "request": {
                "userAttributes": {"email": ADDRESS} if found else {},
                "userNotFound": not found,
                "session": list(session),
                **request,
            },
            "response": response or {},
        }
        return signin.handler(event, context)["response"]

    return call


def answered(right, name="CUSTOM_CHALLENGE", code="123456 2026-01-01T00:00:00+00:00"):
    return {"challengeName": name, "challengeResult": right, "challengeMetadata": code}


def mailed(ses):
    return re.search(r"\b\d{6}\b", ses.mails[-1]["Message"]["Body"]["Text"]["Data"])[0]


@pytest.mark.parametrize(
    ("session", "found", "step"),
    [
        ([], True, "ask"),
        ([answered(False)], True, "ask"),
        ([answered(False)] * 2, True, "ask"),
        ([answered(False)] * ATTEMPTS, True, "refuse"),
        ([answered(True)], True, "let in"),
        ([answered(False), answered(True)], True, "let in"),
        ([answered(True), answered(False)], True, "ask"),
        ([], False, "ask"),
        ([answered(True)], False, "refuse"),
        ([answered(True, "SRP_A")], True, "refuse"),
        ([answered(True, "PASSWORD_VERIFIER")], True, "refuse"),
    ],
)
def test_what_comes_next(trigger, session, found, step):
    response = trigger("DefineAuthChallenge", session=session, found=found)

    assert response["issueTokens"] is (step == "let in")
    assert response["failAuthentication"] is (step == "refuse")
    assert response.get("challengeName") == ("CUSTOM_CHALLENGE" if step == "ask" else None)


def test_a_code_is_mailed_and_the_client_does_not_see_it(ses, trigger, logged):
    lines = logged(signin)

    response = trigger("CreateAuthChallenge", challengeName="CUSTOM_CHALLENGE")

    code = mailed(ses)
    assert ses.addresses == [ADDRESS]
    assert response["publicChallengeParameters"] == {"medium": "EMAIL", "attemptsLeft": "3"}
    assert response["privateChallengeParameters"]["code"].startswith(code)
    assert code not in str(lines)


def test_after_a_wrong_answer_the_same_code_counts(ses, trigger):
    first = trigger("CreateAuthChallenge")

    again = trigger(
        "CreateAuthChallenge", session=[answered(False, code=first["challengeMetadata"])]
    )

    assert len(ses.mails) == 1
    assert again["privateChallengeParameters"] == first["privateChallengeParameters"]
    assert again["publicChallengeParameters"]["attemptsLeft"] == "2"


def test_a_stranger_gets_no_mail_and_sees_the_same(ses, trigger):
    response = trigger("CreateAuthChallenge", found=False)

    assert response["publicChallengeParameters"] == {"medium": "EMAIL", "attemptsLeft": "3"}
    assert ses.mails == []


@pytest.mark.parametrize(
    ("given", "right"),
    [("123456", True), (" 123456\n", True), ("123457", False), ("", False), ("é" * 6, False)],
)
def test_an_answer(trigger, given, right):
    code = Code("123456", utc_now() + VALID_FOR).text()
    private = {"code": code}

    response = trigger(
        "VerifyAuthChallengeResponse", privateChallengeParameters=private, challengeAnswer=given
    )

    assert response["answerCorrect"] is right


def test_a_code_expires():
    now = utc_now()
    code = new_code(now)

    assert code.accepts(code.digits, now + VALID_FOR - timedelta(seconds=1))
    assert not code.accepts(code.digits, now + VALID_FOR)
    assert Code.of(code.text()) == code


def test_codes_are_six_digits_and_differ():
    codes = {new_code(utc_now()).digits for _ in range(200)}

    assert all(re.fullmatch(r"\d{6}", code) for code in codes)
    assert len(codes) > 190


def test_a_mail_that_is_refused_ends_the_sign_in(ses, trigger):
    ses.refused[ADDRESS] = RuntimeError("not today")

    with pytest.raises(RuntimeError, match="not today"):
        trigger("CreateAuthChallenge")


def test_another_trigger_is_refused(trigger):
    with pytest.raises(ValueError, match="PreSignUp_Authentication is not a trigger"):
        trigger("PreSignUp")

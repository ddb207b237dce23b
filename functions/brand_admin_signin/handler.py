"""Cognito custom authentication: administrators sign in with a code from a mail."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.data_classes.cognito_user_pool_event import (
    CreateAuthChallengeTriggerEvent,
    DefineAuthChallengeTriggerEvent,
    VerifyAuthChallengeResponseTriggerEvent,
)

from functions.shared.clock import utc_now

from .signin import ATTEMPTS, CHALLENGE, Code, new_code, next_step, send

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
ses = boto3.client("ses")
sender = os.environ["SENDER_EMAIL"]


def define(event: DefineAuthChallengeTriggerEvent) -> None:
    """Say what comes next: the challenge, tokens, or the end."""
    exists = not event.request.user_not_found
    step = next_step(event.request.session, exists=exists)
    event.response.issue_tokens = step == "let in"
    event.response.fail_authentication = step == "refuse"
    if step == "ask":
        event.response.challenge_name = CHALLENGE
    logger.info("Next step", step=step, answered=len(event.request.session))


def create(event: CreateAuthChallengeTriggerEvent) -> None:
    """Mail a code; after a wrong answer the same one counts."""
    session = event.request.session
    kept = session[-1].challenge_metadata if session else None
    code = Code.of(kept) if kept else new_code(utc_now())
    if not kept and not event.request.user_not_found:
        send(ses, sender, event.request.user_attributes["email"], code)
        logger.info("Code sent")
    left = str(ATTEMPTS - len(session))
    event.response.public_challenge_parameters = {"medium": "EMAIL", "attemptsLeft": left}
    event.response.private_challenge_parameters = {"code": code.text()}
    event.response.challenge_metadata = code.text()


def verify(event: VerifyAuthChallengeResponseTriggerEvent) -> None:
    """Compare the answer with the code."""
    code = Code.of(event.request.private_challenge_parameters["code"])
    answer = event.request.challenge_answer
    event.response.answer_correct = code.accepts(str(answer), utc_now())
    logger.info("Code checked", correct=event.response.answer_correct)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Fill in the event's response; Cognito takes the event back."""
    match event["triggerSource"]:
        case "DefineAuthChallenge_Authentication":
            define(DefineAuthChallengeTriggerEvent(event))
        case "CreateAuthChallenge_Authentication":
            create(CreateAuthChallengeTriggerEvent(event))
        case "VerifyAuthChallengeResponse_Authentication":
            verify(VerifyAuthChallengeResponseTriggerEvent(event))
        case other:
            raise ValueError(f"{other} is not a trigger of this function")
    return event

"""Messages to users: codes, temporary passwords, and the custom message trigger.

AWS topics: Amazon Cognito Developer Guide, "Configuring email and phone verification", "Custom
message Lambda trigger"; API Reference, "CodeDeliveryDetailsType".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from trigger_stack.services.cognito.directory import Pool, User, event_attributes
from trigger_stack.services.cognito.errors import invalid_lambda_response
from trigger_stack.services.cognito.triggers import (
    Subject,
    Triggers,
    text,
    with_metadata,
)

CODE: Final = "{####}"
USERNAME: Final = "{username}"
LINK: Final = "{##Click Here##}"
_LONGEST_MAIL: Final = 20_000
_LONGEST_SMS: Final = 140
_MEDIUM: Final = {"email": "EMAIL", "phone_number": "SMS"}


class Post(Protocol):
    """Sends messages."""

    def mail(self, pool: Pool, address: str, subject: str, body: str) -> None:
        """Send a mail.

        Raises:
            ServiceError: SES refuses it.
        """

    def sms(self, pool: Pool, number: str, body: str) -> None:
        """Send a text message."""


class Messages:
    """Words and sends messages.

    Args:
        triggers: May word them, too.
        post: Sends them.
    """

    def __init__(self, triggers: Triggers, post: Post) -> None:
        self._triggers = triggers
        self._post = post

    def send_code(
        self,
        pool: Pool,
        user: User,
        client_id: str,
        action: str,
        attribute: str,
        code: str,
        metadata: Mapping[str, str] | None,
    ) -> dict[str, str]:
        """Send a code; returns ``CodeDeliveryDetails``.

        Args:
            action: Of the custom message trigger: ``SignUp``, ``ResendCode``, ….
            attribute: The contact that it goes to.
        """
        template = pool.extended_config.get("VerificationMessageTemplate") or {}
        words = {
            "emailSubject": _own(pool, "EmailVerificationSubject", template.get("EmailSubject")),
            "emailMessage": _own(pool, "EmailVerificationMessage", template.get("EmailMessage")),
            "smsMessage": _own(pool, "SmsVerificationMessage", template.get("SmsMessage")),
        }
        subject = Subject(pool, user.username, client_id)
        custom = self._custom(subject, user, action, None, metadata)
        self._send(pool, user, attribute, {**words, **custom}, code, user.username)
        return delivery_details(user, attribute)

    def send_invitation(
        self,
        pool: Pool,
        user: User,
        username: str,
        password: str,
        media: Sequence[str],
        metadata: Mapping[str, str] | None,
    ) -> None:
        """Send a new user its name and temporary password, over each medium that it has."""
        config = pool.extended_config.get("AdminCreateUserConfig") or {}
        template = config.get("InviteMessageTemplate") or {}
        plain = f"Your username is {USERNAME} and temporary password is {CODE}. "
        words = {
            "emailSubject": template.get("EmailSubject") or "Your temporary password",
            "emailMessage": template.get("EmailMessage") or plain,
            "smsMessage": template.get("SMSMessage") or plain,
        }
        subject = Subject(pool, user.username)
        words |= self._custom(subject, user, "AdminCreateUser", USERNAME, metadata)
        for attribute, medium in _MEDIUM.items():
            if medium in media and user.attribute_lookup.get(attribute):
                self._send(pool, user, attribute, words, password, username)

    def _custom(
        self,
        subject: Subject,
        user: User,
        action: str,
        username: str | None,
        metadata: Mapping[str, str] | None,
    ) -> dict[str, str]:
        """The words of the custom message trigger, if it has any.

        Raises:
            ServiceError: The function failed, or left out what the message is for.
        """
        request = {
            "userAttributes": event_attributes(user),
            "codeParameter": CODE,
            "linkParameter": LINK,
            "usernameParameter": username,
        }
        response = self._triggers.call(
            subject,
            "CustomMessage",
            action,
            with_metadata(request, metadata),
            {"smsMessage": None, "emailMessage": None, "emailSubject": None},
        )
        if response is None:
            return {}
        words = {
            name: value
            for name in ("smsMessage", "emailMessage", "emailSubject")
            if (value := text(response, name))
        }
        for name, longest in (("emailMessage", _LONGEST_MAIL), ("smsMessage", _LONGEST_SMS)):
            body = words.get(name)
            if body is None:
                continue
            if CODE not in body or (username is not None and USERNAME not in body):
                needed = CODE if username is None else f"{CODE} and {USERNAME}"
                raise invalid_lambda_response(f"{name} must contain {needed}")
            if len(body) > longest:
                raise invalid_lambda_response(f"{name} is longer than {longest} characters")
        return words

    def _send(
        self,
        pool: Pool,
        user: User,
        attribute: str,
        words: Mapping[str, str],
        code: str,
        username: str,
    ) -> None:
        def filled(template: str) -> str:
            return template.replace(USERNAME, username).replace(CODE, code)

        contact = str(user.attribute_lookup[attribute])
        if attribute == "email":
            body = filled(words["emailMessage"])
            self._post.mail(pool, contact, words["emailSubject"], body)
        else:
            self._post.sms(pool, contact, filled(words["smsMessage"]))


def _own(pool: Pool, name: str, other: Any) -> str:
    """A text of the pool, or of its template; AWS's where it has neither."""
    default = "Your verification code"
    if name != "EmailVerificationSubject":
        default = f"{default} is {CODE}. "
    return str(pool.extended_config.get(name) or other or default)


def delivery_details(user: User, attribute: str) -> dict[str, str]:
    """``CodeDeliveryDetails``, which shows a contact in part."""
    return masked(str(user.attribute_lookup[attribute]), attribute)


def masked(contact: str, attribute: str) -> dict[str, str]:
    """``CodeDeliveryDetails`` of a contact."""
    if attribute == "email":
        name, _, domain = contact.partition("@")
        destination = f"{name[:1]}***@{domain[:1]}***"
    else:
        destination = f"+{'*' * max(len(contact) - 5, 0)}{contact[-4:]}"
    return {
        "Destination": destination,
        "DeliveryMedium": _MEDIUM[attribute],
        "AttributeName": attribute,
    }

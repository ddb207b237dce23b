"""Amazon SES: sender identities."""

from __future__ import annotations

from bootstrap.services import shapes
from bootstrap.services.base import Context, Key, Outcome, Properties, ResourceType
from bootstrap.template import Physical


def _identity(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    ses = context.client("ses")
    identity = properties["EmailIdentity"]
    if identity in ses.list_identities()["Identities"]:
        return Outcome.UNCHANGED, Physical(identity)
    if "@" in identity:
        ses.verify_email_identity(EmailAddress=identity)
    else:
        ses.verify_domain_identity(Domain=identity)
    return Outcome.CREATED, Physical(identity)


def _exists(context: Context, key: Key) -> bool:
    return key["Ref"] in context.client("ses").list_identities()["Identities"]


RESOURCE_TYPES = {
    "AWS::SES::EmailIdentity": ResourceType(
        _identity,
        {"EmailIdentity": shapes.text},
        exists=_exists,
        delete_with="ses delete-identity --identity {Ref}",
        holds_data=False,
    ),
}

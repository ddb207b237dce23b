"""Amazon SES, API version 2 (``sesv2``): sending, templates, identities.

What: a provider at LocalStack's extension point ``localstack.aws.provider``. ``SendEmail`` puts a
mail where those of version 1 are (``/_aws/ses``), templates are those of version 1, all else is
moto's.
Why: the open release has no ``sesv2``; moto's keeps mails to itself and sends no templates.
Until: LocalStack's open release has ``sesv2``.
Test: ``tests/unit/plugin/test_ses_patches.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.skeleton import DispatchTable, Skeleton
from localstack.aws.spec import load_service
from localstack.services.moto import call_moto
from localstack.services.plugins import Service
from moto.core.exceptions import ServiceException as MotoError
from moto.ses import ses_backends
from moto.ses.models import SESBackend

from trigger_stack.localstack.aws_service import as_aws_error
from trigger_stack.localstack.mail.outbox import keep
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.ses.mime import filled_in, with_attachments

_MOST_RECIPIENTS = 50
_MAX_BYTES = 40 * 1024 * 1024


def create_service() -> Service:
    """The service for LocalStack's ``localstack.aws.provider`` entry point."""
    model = load_service("sesv2")
    table: DispatchTable = dict.fromkeys(model.operation_names, _call_moto)
    own = {
        "SendEmail": _send_email,
        "CreateEmailTemplate": _create_template,
        "UpdateEmailTemplate": _update_template,
        "GetEmailTemplate": _get_template,
        "DeleteEmailTemplate": _delete_template,
        "ListEmailTemplates": _list_templates,
        "TestRenderEmailTemplate": _render_template,
    }
    table |= {name: _answering(operation) for name, operation in own.items()}
    return Service("sesv2", skeleton=Skeleton(model, table))


def _call_moto(context: RequestContext, request: Any) -> Any:
    return call_moto(context)


def _answering(operation: Any) -> Any:
    """An operation whose errors are those of the API."""

    def answer(context: RequestContext, request: Any) -> Any:
        try:
            return operation(context, request)
        except ServiceError as error:
            raise as_aws_error(error) from error
        except MotoError as error:
            message = str(getattr(error, "message", error))
            code = str(getattr(error, "error_type", "") or getattr(error, "code", ""))
            raise CommonServiceException(code, message, sender_fault=True) from error

    return answer


def _backend(context: RequestContext) -> SESBackend:
    backend: SESBackend = ses_backends[context.account_id][context.region]
    return backend


def _send_email(context: RequestContext, request: Any) -> Any:
    content, backend = request["Content"], _backend(context)
    given = [kind for kind in ("Simple", "Raw", "Template") if content.get(kind)]
    if len(given) != 1:
        raise ServiceError(
            "BadRequestException", "Content must have one of Simple, Raw and Template."
        )
    destination = {
        name: list(request.get("Destination", {}).get(name) or [])
        for name in ("ToAddresses", "CcAddresses", "BccAddresses")
    }
    source = request.get("FromEmailAddress") or ""
    if given == ["Raw"]:
        return _send_raw(context, backend, source, destination, content["Raw"]["Data"])
    if given == ["Template"]:
        content = {"Simple": _from_template(backend, content["Template"])}
    simple = content["Simple"]
    if not any(destination.values()):
        raise ServiceError("BadRequestException", "There is no recipient.")
    _check(context, backend, source, destination)
    body = simple["Body"]
    html = (body.get("Html") or {}).get("Data")
    text = (body.get("Text") or {}).get("Data")
    message = backend.send_email(source, simple["Subject"]["Data"], html or text or "", destination)
    more: dict[str, Any] = {}
    if simple.get("Attachments"):
        more["raw"] = with_attachments(simple, source=source, destination=destination)
    keep(
        context.region,
        source=source,
        destination=_without_empty(destination),
        subject=simple["Subject"]["Data"],
        body={"text_part": text, "html_part": html},
        identity=message.id,
        **more,
    )
    return {"MessageId": message.id}


def _send_raw(
    context: RequestContext,
    backend: SESBackend,
    source: str,
    destination: dict[str, list[str]],
    raw: bytes,
) -> Any:
    import email
    from email.utils import getaddresses

    if len(raw) > _MAX_BYTES:
        raise ServiceError("BadRequestException", "Message length exceeds limit: 40 MB.")
    message = email.message_from_bytes(raw)
    source = source or str(message["From"] or "")
    named = [str(value) for name in ("To", "Cc", "Bcc") for value in message.get_all(name, [])]
    if not any(destination.values()):
        addresses = [address for _, address in getaddresses(named) if address]
        destination = {"ToAddresses": addresses}
    if not any(destination.values()):
        raise ServiceError("BadRequestException", "There is no recipient.")
    _check(context, backend, source, destination)
    text = raw.decode("utf-8", "replace")
    recipients = [one for some in destination.values() for one in some]
    sent = backend.send_raw_email(source, recipients, text)
    keep(
        context.region,
        source=source,
        destination=_without_empty(destination),
        subject=str(message["Subject"] or ""),
        raw=text,
        identity=sent.id,
    )
    return {"MessageId": sent.id}


def _check(
    context: RequestContext, backend: SESBackend, source: str, destination: dict[str, list[str]]
) -> None:
    """Whether SES would send it.

    Raises:
        ServiceError: It has no verified sender, too many recipients, or one that is no address.
    """
    address = parseaddr(source)[1]
    if not address or not backend._is_verified_address(address):
        raise ServiceError(
            "MessageRejected",
            "Email address is not verified. The following identities failed the check in region"
            f" {context.region.upper()}: {source}",
        )
    recipients = [one for some in destination.values() for one in some]
    if len(recipients) > _MOST_RECIPIENTS:
        raise ServiceError("BadRequestException", f"{_MOST_RECIPIENTS} recipients at most.")
    for one in recipients:
        if "@" not in parseaddr(one)[1]:
            raise ServiceError("BadRequestException", f"No address: {one}")


def _without_empty(destination: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: addresses for name, addresses in destination.items() if addresses}


# --- Templates: those of version 1


def _from_template(backend: SESBackend, template: dict[str, Any]) -> dict[str, Any]:
    """A simple message from a template, stored or given, and the values for its tags."""
    parts = template.get("TemplateContent")
    if parts is None:
        name = template.get("TemplateName") or str(template.get("TemplateArn")).rpartition("/")[2]
        parts = _stored(backend, name)["TemplateContent"]
    data = template.get("TemplateData")
    body = {
        name: {"Data": filled_in(parts[name], data)} for name in ("Text", "Html") if parts.get(name)
    }
    return {
        "Subject": {"Data": filled_in(parts.get("Subject") or "", data)},
        "Body": body,
        "Headers": template.get("Headers"),
        "Attachments": template.get("Attachments"),
    }


def _stored(backend: SESBackend, name: str) -> dict[str, Any]:
    found = backend.templates.get(name)
    if not found:
        raise ServiceError("NotFoundException", f"Template {name} does not exist", 404)
    return {
        "TemplateName": name,
        "TemplateContent": {
            key: found[own]
            for key, own in (
                ("Subject", "subject_part"),
                ("Text", "text_part"),
                ("Html", "html_part"),
            )
            if found.get(own)
        },
    }


def _info(request: Any) -> Any:
    content = request["TemplateContent"]
    return {
        "template_name": request["TemplateName"],
        "subject_part": content.get("Subject"),
        "text_part": content.get("Text"),
        "html_part": content.get("Html"),
        "Timestamp": datetime.now(UTC),
    }


def _create_template(context: RequestContext, request: Any) -> Any:
    backend, name = _backend(context), request["TemplateName"]
    if name in backend.templates:
        raise ServiceError("AlreadyExistsException", f"Template {name} already exists")
    if not request["TemplateContent"].get("Subject"):
        raise ServiceError("BadRequestException", "The subject must be specified.")
    backend.templates[name] = _info(request)
    return {}


def _update_template(context: RequestContext, request: Any) -> Any:
    backend, name = _backend(context), request["TemplateName"]
    _stored(backend, name)
    backend.templates[name] = _info(request)
    return {}


def _get_template(context: RequestContext, request: Any) -> Any:
    return _stored(_backend(context), request["TemplateName"])


def _delete_template(context: RequestContext, request: Any) -> Any:
    backend, name = _backend(context), request["TemplateName"]
    _stored(backend, name)
    del backend.templates[name]
    return {}


def _list_templates(context: RequestContext, request: Any) -> Any:
    return {
        "TemplatesMetadata": [
            {"TemplateName": name, "CreatedTimestamp": one.get("Timestamp")}
            for name, one in sorted(_backend(context).templates.items())
        ]
    }


def _render_template(context: RequestContext, request: Any) -> Any:
    template = {"TemplateName": request["TemplateName"], "TemplateData": request["TemplateData"]}
    filled = _from_template(_backend(context), template)
    body = filled["Body"]
    text = (body.get("Text") or body.get("Html") or {}).get("Data", "")
    return {"RenderedTemplate": f"Subject: {filled['Subject']['Data']}\r\n\r\n{text}"}

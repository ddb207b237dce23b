"""Chooses the providers of SES, and opens the SMTP port.

What: providers ``ses:receives`` and ``sesv2:default`` (LocalStack's extension point
``localstack.aws.provider``), a start hook that makes the first the default, and one that listens.
Why: LocalStack receives no mail, and its open release has no API version 2.
Until: it has both.
Test: ``tests/e2e/test_received_mail.py``.
"""

import asyncio
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, NoReturn

from localstack import config
from localstack.runtime.hooks import on_infra_start
from localstack.services.plugins import Service, aws_provider


@on_infra_start(priority=800)
def choose_ses_that_receives() -> None:
    """Use this provider unless a setting names another one."""
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("ses", "receives")


@aws_provider(api="ses", name="receives")
def ses() -> Service:
    """SES: LocalStack's provider, with receipt rules as SES has them."""
    from trigger_stack.localstack.mail.provider import create_service

    return create_service()


@aws_provider()
def sesv2() -> Service:
    """SES, API version 2: moto's control plane; what it sends is where all mails are."""
    from trigger_stack.localstack.mail.version2 import create_service

    return create_service()


@on_infra_start(priority=790)
def receive_mail() -> None:
    """Listen on the SMTP port; a port that is taken ends the emulator."""
    from trigger_stack.services.apigatewayv2.settings import InvalidSettingError
    from trigger_stack.services.ses.settings import Settings

    try:
        settings = Settings.from_environment()
    except InvalidSettingError as error:
        _end(f"{error}.")
    if settings.port is None:
        return
    opened = threading.Event()
    failure: list[OSError] = []
    threading.Thread(
        target=_serve, args=(settings, opened, failure), name="smtp", daemon=True
    ).start()
    opened.wait()
    if failure:
        reason = os.strerror(failure[0].errno or 0)
        _end(
            f"Port {settings.port} on {settings.listen} cannot be used ({reason})."
            " End the program that has it, or choose another with SMTP_PORT in .env."
        )


def _serve(settings: Any, opened: threading.Event, failure: list[OSError]) -> None:
    from trigger_stack.delivery.mail.smtp import listen
    from trigger_stack.localstack.mail.post_office import post_office
    from trigger_stack.services.ses.certificate import tls_context

    region = os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"

    async def serve() -> None:
        inbox = post_office(_folder(), settings)
        if unfinished := inbox.unfinished():
            threading.Thread(
                target=inbox.resume, args=(unfinished,), name="received-mail-resume", daemon=True
            ).start()
        tls = tls_context(f"inbound-smtp.{region}.amazonaws.com")
        server = await listen(inbox, settings.listen, settings.port, region, tls)
        opened.set()
        await server.serve_forever()

    try:
        asyncio.run(serve())
    except OSError as error:
        failure.append(error)
    finally:
        opened.set()


def _folder() -> Path:
    """Where mails are until they have an end: beside the journal, which outlives the emulator."""
    own = os.environ.get("LAMBDA_PROCESS_DIR", "").strip()
    return Path(own or f"{tempfile.gettempdir()}/lambda-process") / "mail"


def _end(sentence: str) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
    # LocalStack is half started here: its own way out would wait for what never began.
    os._exit(1)

"""The emulator's one post office: what the SMTP port takes goes through the active rule sets.

What: no patch.
Why: LocalStack receives no mail.
Until: it does.
Test: ``tests/e2e/test_received_mail.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import override

from localstack.utils.xray.trace_header import TraceHeader

from trigger_stack.delivery.mail.delivery import Done, Job, PostOffice
from trigger_stack.delivery.mail.message import ReceivedMail
from trigger_stack.delivery.mail.rules import RuleSet, Step
from trigger_stack.localstack.lambda_engine.outcomes import accept_outcome, record
from trigger_stack.localstack.schedules import scheduler
from trigger_stack.services.ses.settings import Settings

_PROVIDER = "trigger_stack.localstack.mail.provider"


def _active_rule_sets() -> list[RuleSet]:
    """The active rule sets; none before the first request to SES, which loads the provider."""
    if _PROVIDER not in sys.modules:
        return []
    from trigger_stack.localstack.mail.provider import active_rule_sets

    return active_rule_sets()


def _act(job: Job, step: Step) -> Done:
    from trigger_stack.localstack.mail.actions import act

    return act(job, step)


class _PostOffice(PostOffice):
    """Keeps what ``SendBounce`` needs of each mail."""

    @override
    def _taken(self, mail: ReceivedMail) -> None:
        from trigger_stack.localstack.mail.provider import remember

        remember(mail)


def post_office(folder: Path, settings: Settings) -> PostOffice:
    """The post office.

    Args:
        folder: Where mails are until they have an end.
        settings: How long a failing action is tried.
    """
    office = _PostOffice(
        _active_rule_sets,
        _act,
        accept_outcome,
        record,
        folder,
        new_trace=lambda: TraceHeader().ensure_root_exists().to_header_str(),
        gives_up_after_s=settings.gives_up_after_s,
    )
    scheduler().moved.append(office.advance)
    return office

"""Error lines of a function in one minute, and the mail that they become."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.cloud_watch_logs_event import (
        CloudWatchLogsDecodedData,
    )
    from mypy_boto3_ses import SESClient

_OF_FUNCTIONS = "/aws/lambda/"
_MOST_LINES = 20
_MOST_CHARACTERS = 1000


@dataclass(frozen=True)
class Alert:
    """Errors of one function in one minute.

    Attributes:
        function: Its name.
        minute: UTC, for example `2026-11-23T05:00Z`.
        lines: The error lines that came together, oldest first.
    """

    function: str
    minute: str
    lines: tuple[str, ...]

    @property
    def key(self) -> str:
        """What there is one mail for."""
        return f"{self.function} {self.minute}"


def alerts(data: CloudWatchLogsDecodedData) -> list[Alert]:
    """The log events of a document, by minute; a control message has none for anybody."""
    if data.message_type != "DATA_MESSAGE":
        return []
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for event in data.log_events:
        lines[minute_of(event.timestamp)].append(event.message)
    function = data.log_group.removeprefix(_OF_FUNCTIONS)
    return [Alert(function, minute, tuple(some)) for minute, some in sorted(lines.items())]


def minute_of(milliseconds: int) -> str:
    """The UTC minute of a time since 1970.

    >>> minute_of(1795857529386)
    '2026-11-28T09:18Z'
    """
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def text_of(alert: Alert) -> str:
    """The text of the mail."""
    shown = [line.rstrip()[:_MOST_CHARACTERS] for line in alert.lines[:_MOST_LINES]]
    more = len(alert.lines) - len(shown)
    return "\n".join(
        [
            f"{alert.function} logged errors at {alert.minute}. The first of them:",
            "",
            *shown,
            *([f"… and {more} more"] if more else []),
            "",
            "There is one mail for each function and minute; the log has the rest.",
        ]
    )


def send(ses: SESClient, sender: str, recipient: str, alert: Alert) -> str:
    """Send the mail and return SES's message id."""
    answer = ses.send_email(
        Source=sender,
        Destination={"ToAddresses": [recipient]},
        Message={
            "Subject": {"Data": f"Errors: {alert.function} {alert.minute}", "Charset": "UTF-8"},
            "Body": {"Text": {"Data": text_of(alert), "Charset": "UTF-8"}},
        },
    )
    return answer["MessageId"]

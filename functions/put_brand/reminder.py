"""The one-time schedule that reminds a brand's contact to review the brand.

AWS documentation: EventBridge Scheduler, "One-time schedules", "Adding context attributes".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

_DEFAULT_DAYS = "30"


@dataclass(frozen=True)
class Reminders:
    """Where reminders go.

    Attributes:
        scheduler: A client of EventBridge Scheduler.
        group: The schedule group.
        function_arn: The function that a schedule invokes.
        role_arn: The role that EventBridge Scheduler invokes it with.
        dead_letter_arn: The queue for invocations that failed for good.
        after: How long after a PUT.
    """

    scheduler: Any
    group: str
    function_arn: str
    role_arn: str
    dead_letter_arn: str
    after: timedelta

    @classmethod
    def from_environment(cls, scheduler: Any, environment: Mapping[str, str]) -> Reminders:
        """The reminders that a function's environment variables describe.

        Raises:
            KeyError: A variable is missing.
            ValueError: `REVIEW_AFTER_DAYS` is no number.
        """
        return cls(
            scheduler,
            environment["REVIEW_GROUP"],
            environment["REVIEW_FUNCTION_ARN"],
            environment["REVIEW_ROLE_ARN"],
            environment["REVIEW_DLQ_ARN"],
            timedelta(days=float(environment.get("REVIEW_AFTER_DAYS") or _DEFAULT_DAYS)),
        )

    def set(self, brand_id: str, now: datetime, *, created: bool) -> None:
        """Set the brand's one reminder, in the place of the one that it has.

        Args:
            brand_id: The brand, and the name of its schedule.
            now: The time from which it counts.
            created: Whether the brand is new: then there is no schedule to replace.

        Raises:
            ClientError: EventBridge Scheduler refused it.
            BotoCoreError: It did not answer.
        """
        schedule = self._schedule(brand_id, now)
        create, update = self.scheduler.create_schedule, self.scheduler.update_schedule
        first, second = (create, update) if created else (update, create)
        try:
            first(**schedule)
        except ClientError as error:
            # It is there from an earlier brand of this id, or is gone because it has fired.
            expected = "ConflictException" if created else "ResourceNotFoundException"
            if error.response["Error"]["Code"] != expected:
                raise
            second(**schedule)

    def _schedule(self, brand_id: str, now: datetime) -> dict[str, Any]:
        # A schedule has whole seconds; the next one is never in the past.
        due = (now + self.after).astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        event = {"brandId": brand_id, "scheduledTime": "<aws.scheduler.scheduled-time>"}
        return {
            "Name": brand_id,
            "GroupName": self.group,
            "ScheduleExpression": f"at({due:%Y-%m-%dT%H:%M:%S})",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": self.function_arn,
                "RoleArn": self.role_arn,
                "Input": json.dumps(event),
                "DeadLetterConfig": {"Arn": self.dead_letter_arn},
            },
        }

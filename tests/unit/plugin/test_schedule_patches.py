"""The patches of LocalStack's schedules are still needed."""

from __future__ import annotations

from localstack.services.events.scheduler import Job, JobScheduler, convert_schedule_to_cron


def test_localstack_still_counts_rates_by_the_calendar() -> None:
    """When this fails, see what our scheduler still adds."""
    assert convert_schedule_to_cron("rate(5 minutes)") == "*/5 * * * *"


def test_localstack_still_fires_up_to_a_minute_early() -> None:
    job = Job(lambda: None, "* * * * *", enabled=True)

    assert job.should_run_now(), "it waits for the minute now"


def test_localstack_still_takes_any_cron_expression() -> None:
    assert convert_schedule_to_cron("cron(99 99 * * * *)") == "99 99 * * * *"


def test_localstack_still_keeps_a_job_for_each_call() -> None:
    assert JobScheduler.add_job.__module__ == JobScheduler.__module__, "it is patched here"
    scheduler = JobScheduler()
    for _ in range(2):
        scheduler.add_job(lambda: None, "* * * * *")

    assert len(scheduler.jobs) == 2

"""Takes mails for the recipients that receipt rules match, and carries out the rules' actions.

An action that fails is tried again, and what comes after it waits. AWS topics: Amazon SES Developer
Guide, "Viewing metrics for Amazon SES email receiving": SES gives a mail up when an action did not
succeed within four hours, and each mail is handled by the rules as they were when it was received.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from trigger_stack.delivery.core.outcome import Outcome, Record
from trigger_stack.delivery.core.retry_queue import RetryQueue, retry_delay
from trigger_stack.delivery.mail.message import Envelope, ReceivedMail, new_id
from trigger_stack.delivery.mail.rules import RuleSet, Step, plan

LOG = logging.getLogger(__name__)

#: Seconds between two looks whether there are rules for a mail of the last run.
_LOOK_AGAIN_S = 1.0

KIND = "mail"
#: Seconds after which SES tries a failing action no longer.
GIVES_UP_AFTER_S = 4 * 3600.0
_UNKNOWN = "550 5.1.1 Requested action not taken: mailbox unavailable"
_NEEDS_TLS = "530 5.7.0 Must issue a STARTTLS command first"
#: Mails at a time; one that asks a function waits for it.
_WORKERS = 32


class RefusedError(Exception):
    """A mail or a recipient is not taken.

    Args:
        reply: The SMTP reply.
    """

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


@dataclass(frozen=True)
class Done:
    """What an action did.

    Attributes:
        what: In a few words, for the journal.
        disposition: ``STOP_RULE``, ``STOP_RULE_SET``, or an empty text to go on.
        keeps: Whether the mail is now somewhere, or somebody was told about it.
    """

    what: str
    disposition: str = ""
    keeps: bool = False


@dataclass
class Job:
    """A mail on its way through the actions.

    Attributes:
        steps: What is still to be done.
        tries: How often the next step has failed.
        stopped: Which rule or function ended the evaluation, for the journal.
    """

    mail: ReceivedMail
    rule_set: RuleSet
    steps: list[Step]
    started: float
    trace_id: str | None
    payload: bytes
    tries: int = 0
    attempts: int = 0
    kept: bool = False
    stopped: str = ""
    news: list[tuple[str, str]] = field(default_factory=list)

    def outcome(self, state: str, place: str, due_at: float | None = None) -> Outcome:
        """What the journal gets, with the steps since the last time."""
        news, self.news = tuple(self.news), []
        return Outcome(
            KIND,
            self.rule_set.arn,
            ", ".join(self.mail.envelope.recipients),
            state,
            place,
            self.attempts,
            self.payload,
            self.trace_id,
            due_at,
            self.mail.id,
            news,
        )


@dataclass(frozen=True)
class Unfinished:
    """A mail of an emulator that ended before all of its actions were taken.

    Attributes:
        account: Account whose rules it was for.
        rule_set: ARN of its rule set.
        since: By the office's clock, in seconds.
    """

    mail: ReceivedMail
    account: str
    rule_set: str
    payload: bytes
    since: float

    def outcome(self, state: str, place: str, *steps: tuple[str, str]) -> Outcome:
        """What the journal gets."""
        recipients = ", ".join(self.mail.envelope.recipients)
        return Outcome(
            KIND,
            self.rule_set,
            recipients,
            state,
            place,
            0,
            self.payload,
            None,
            time.time() if state == "pending" else None,
            self.mail.id,
            steps,
        )


class Actions(Protocol):
    """Carries out one step."""

    def __call__(self, job: Job, step: Step) -> Done:
        """Do it, once.

        Raises:
            Exception: It could not be done; it is tried again.
        """
        ...


class PostOffice:
    """Takes mails and sees them through.

    Args:
        rule_sets: The active rule sets, each as it is now.
        act: Carries out one step.
        accept: Has an event written into the journal, or raises.
        record: Records where an event is.
        folder: Where mails are until they have an end.
        new_trace: Makes an ``X-Amzn-Trace-Id``.
        gives_up_after_s: See :data:`GIVES_UP_AFTER_S`.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        rule_sets: Callable[[], Sequence[RuleSet]],
        act: Actions,
        accept: Callable[[Outcome], object],
        record: Record,
        folder: Path,
        *,
        new_trace: Callable[[], str | None] = lambda: None,
        gives_up_after_s: float = GIVES_UP_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rule_sets = rule_sets
        self._act = act
        self._accept = accept
        self._record = record
        self._folder = folder
        self._new_trace = new_trace
        self._gives_up_after_s = gives_up_after_s
        self._clock = clock
        self._ahead_s = 0.0
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="received-mail")
        self.retries = RetryQueue[Job](self._submit, self._now)
        self._unfinished = RetryQueue[Unfinished](self._look_for_rules)

    def _now(self) -> float:
        return self._clock() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Let time pass: what is due until then is tried again, or given up.

        Args:
            seconds: How far; nothing goes back.
        """
        self._ahead_s += max(0.0, seconds)
        self.retries.look_again()

    def check_recipient(self, recipient: str, *, tls: bool) -> None:
        """Whether a mail for an address is taken.

        Raises:
            RefusedError: No enabled rule of an active rule set is for it, its domain is not
                verified, or the rules ask for an encrypted connection.
        """
        needs_tls = False
        for rule_set in self._rule_sets():
            for rule in rule_set.rules_for(recipient):
                if tls or rule.get("TlsPolicy") != "Require":
                    return
                needs_tls = True
        raise RefusedError(_NEEDS_TLS if needs_tls else f"{_UNKNOWN} ({self._why(recipient)})")

    def _why(self, recipient: str) -> str:
        rule_sets = self._rule_sets()
        if not rule_sets:
            return "no receipt rule set is active"
        if not any(rule_set.is_verified(recipient) for rule_set in rule_sets):
            return "its domain is not a verified identity"
        names = ", ".join(rule_set.name for rule_set in rule_sets)
        return f"no enabled rule of the active rule set {names} is for it"

    def take(self, envelope: Envelope, raw: bytes) -> str:
        """Take a mail; it is in the journal and in a file when this returns.

        Returns:
            Its id.

        Raises:
            RefusedError: No rule is for it any longer.
            Exception: It could not be written down, so nobody has it.
        """
        jobs = [
            self._job(rule_set, recipients, envelope, raw)
            for rule_set in self._rule_sets()
            if (recipients := _matched(rule_set, envelope))
        ]
        if not jobs:
            raise RefusedError(f"{_UNKNOWN} ({self._why(envelope.recipients[0])})")
        written: list[Job] = []
        try:
            for job in jobs:
                written.append(job)
                self._write(job, raw)
        except Exception:
            for job in written:
                self._forget(job)
            raise
        for job in jobs:
            self._taken(job.mail)
            self._submit(job)
        return jobs[0].mail.id

    def unfinished(self) -> list[Path]:
        """What an emulator before this one noted of mails; to be called before any is taken."""
        return sorted(self._folder.glob("*.json"))

    def resume(self, unfinished: Sequence[Path]) -> None:
        """Go on with the mails that an emulator before this one took and did not finish.

        Its buckets, topics and functions are gone: a mail waits for the active rule set of its
        account, and every action is taken again.

        Args:
            unfinished: See :meth:`unfinished`.
        """
        for notes in unfinished:
            try:
                found = self._read_notes(notes)
            except (OSError, ValueError, KeyError, TypeError) as error:
                LOG.error("%s says nothing of a mail, and is left: %r", notes, error)  # noqa: TRY400  the error is in the text
                continue
            waits = ("accepted", "by the emulator before this one; waits for a receipt rule")
            self._record(found.outcome("pending", "no active receipt rule set is for it", waits))
            self._look_for_rules(found)

    def _read_notes(self, notes: Path) -> Unfinished:
        given = json.loads(notes.read_text())
        envelope = Envelope(**{**given["envelope"], "recipients": tuple(given["recipients"])})
        received = datetime.fromisoformat(given["received"])
        file = notes.with_suffix(".eml")
        size = file.stat().st_size
        mail = ReceivedMail(
            notes.stem, given["region"], envelope, file, received, scanned=given["scanned"]
        )
        payload = _about(mail, envelope.recipients, size, file)
        return Unfinished(mail, given["account"], given["ruleSet"], payload, self._now())

    def _look_for_rules(self, found: Unfinished) -> None:
        """Take a mail of the last run when there are rules for it, or look again later."""
        mail = found.mail
        for rule_set in self._rule_sets():
            recipients = _matched(rule_set, mail.envelope)
            if (rule_set.account, rule_set.region) == (found.account, mail.region) and recipients:
                steps = plan(rule_set, recipients)
                trace = self._new_trace()
                job = Job(mail, rule_set, steps, self._now(), trace, found.payload)
                job.news.append(("resumed", f"by the rules of {rule_set.name}"))
                self._record(job.outcome("pending", "", time.time()))
                self._taken(mail)
                self._submit(job)
                return
        if self._now() < found.since + self._gives_up_after_s:
            self._unfinished.add(found, _LOOK_AGAIN_S)
            return
        hours = f"{self._gives_up_after_s / 3600:g} hours"
        place = f"no receipt rule was for it within {hours}; the mail is in {self._file(mail)}"
        self._record(found.outcome("lost", place))
        self._notes(mail).unlink(missing_ok=True)

    def _taken(self, mail: ReceivedMail) -> None:
        """A mail was accepted, and nothing was done with it yet."""

    def _job(self, rule_set: RuleSet, recipients: list[str], envelope: Envelope, raw: bytes) -> Job:
        own = Envelope(
            envelope.source, tuple(recipients), envelope.peer, envelope.helo, envelope.tls
        )
        scanned = any(
            rule.get("ScanEnabled")
            for recipient in recipients
            for rule in rule_set.rules_for(recipient)
        )
        mail = ReceivedMail(new_id(), rule_set.region, own, raw, datetime.now(UTC), scanned=scanned)
        return Job(
            mail,
            rule_set,
            plan(rule_set, recipients),
            self._now(),
            self._new_trace(),
            _about(mail, recipients, len(raw), self._file(mail)),
        )

    def _file(self, mail: ReceivedMail) -> Path:
        return self._folder / f"{mail.id}.eml"

    def _notes(self, mail: ReceivedMail) -> Path:
        """What another emulator needs to go on with a mail; there while it has no end."""
        return self._folder / f"{mail.id}.json"

    def _write(self, job: Job, raw: bytes) -> None:
        """Put a mail into its file, and its event into the journal."""
        file = self._file(job.mail)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(raw)
        self._notes(job.mail).write_text(_notes_of(job))
        job.mail.body = file
        sender = job.mail.envelope.source or "<>"
        job.news.append(("accepted", f"{len(raw)} bytes from {sender}"))
        self._accept(job.outcome("pending", "", time.time()))

    def _forget(self, job: Job) -> None:
        """A mail that was not accepted leaves nothing behind."""
        self._remove(job.mail)
        self._record(job.outcome("discarded", "not accepted: its sender was told to try again"))

    def _submit(self, job: Job) -> None:
        self._pool.submit(self.attempt, job)

    def attempt(self, job: Job) -> None:
        """Go on with the next step until there is none or one fails. Never raises."""
        while job.steps:
            step = job.steps[0]
            job.attempts = max(job.attempts, 1)
            try:
                done = self._act(job, step)
            except Exception as error:  # whatever it was, the mail must not be lost
                self._failed(job, step, error)
                return
            self._after(job, step, done)
            if job.steps:
                self._record(job.outcome("pending", f"next: {job.steps[0]}", time.time()))
        self._end(job)

    def _after(self, job: Job, step: Step, done: Done) -> None:
        """Drop a step that was taken, and those that its disposition stops."""
        job.news.append((str(step), done.what))
        job.tries = 0
        job.kept = job.kept or done.keeps
        rest = job.steps[1:]
        own = [one for one in rest[:1] if one.notifies and one.body is step.body]
        if done.disposition:
            job.stopped = job.stopped or f"{step}: {done.what}"
        if done.disposition == "STOP_RULE_SET":
            rest = own
        elif done.disposition == "STOP_RULE":
            rest = [*own, *(one for one in rest if one.rule != step.rule)]
        job.steps = rest

    def _end(self, job: Job) -> None:
        if job.kept:
            state, place = "done", job.stopped
        else:
            state = "discarded"
            place = job.stopped or "no action of the rules that match it keeps it or tells anybody"
        self._record(job.outcome(state, place))
        self._remove(job.mail)

    def _remove(self, mail: ReceivedMail) -> None:
        self._notes(mail).unlink(missing_ok=True)
        self._file(mail).unlink(missing_ok=True)

    def _failed(self, job: Job, step: Step, error: Exception) -> None:
        job.tries += 1
        job.attempts += 1
        what = f"{step}: {str(error) or type(error).__name__}"
        # A CSPRNG buys nothing for jitter.
        delay = retry_delay(job.tries, random.random())  # noqa: S311
        if self._now() + delay > job.started + self._gives_up_after_s:
            hours = f"{self._gives_up_after_s / 3600:g} hours"
            place = f"{what}; not done within {hours}; the mail is in {self._file(job.mail)}"
            job.news.append(("given up", what))
            self._record(job.outcome("lost", place))
            self._notes(job.mail).unlink(missing_ok=True)
            return
        LOG.warning("mail %s: %s; try %d in %.0f s", job.mail.id, what, job.tries + 1, delay)
        job.news.append((f"{step} failed", str(error) or type(error).__name__))
        self._record(job.outcome("pending", what, time.time() + delay))
        self.retries.add(job, delay)


def _about(mail: ReceivedMail, recipients: Sequence[str], size: int, file: Path) -> bytes:
    """What the journal has of a mail."""
    about = {
        "mail": mail.describe(),
        "recipients": list(recipients),
        "size": size,
        "file": str(file),
    }
    return json.dumps(about).encode()


def _notes_of(job: Job) -> str:
    envelope, rule_set = dataclasses.asdict(job.mail.envelope), job.rule_set
    recipients = envelope.pop("recipients")
    return json.dumps(
        {
            "account": rule_set.account,
            "region": rule_set.region,
            "ruleSet": rule_set.arn,
            "envelope": envelope,
            "recipients": list(recipients),
            "received": job.mail.received.isoformat(),
            "scanned": job.mail.scanned,
        }
    )


def _matched(rule_set: RuleSet, envelope: Envelope) -> list[str]:
    """The recipients that any rule of a rule set is for."""
    return [
        recipient
        for recipient in envelope.recipients
        if any(
            envelope.tls or rule.get("TlsPolicy") != "Require"
            for rule in rule_set.rules_for(recipient)
        )
    ]

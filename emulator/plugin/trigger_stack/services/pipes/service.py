"""The operations of the EventBridge Pipes API (EventBridge Pipes API Reference, "Actions").

An operation answers with the state that begins; what it takes comes after it, one thing at a time
for each pipe. While it lasts, the pipe takes no other change.
"""

from __future__ import annotations

import copy
import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from trigger_stack.delivery.pipes.settings import MOST_ENTRIES, SOURCES, PipeSettings, service_of
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Caller, Request, operation
from trigger_stack.services.pipes.validation import check_name, check_pipe, refusal

LOG = logging.getLogger(__name__)

_DESCRIPTION = (
    "Description",
    "Source",
    "SourceParameters",
    "Enrichment",
    "EnrichmentParameters",
    "Target",
    "TargetParameters",
    "RoleArn",
)
_STEADY = ("RUNNING", "STOPPED")
_FAILED = ("CREATE_FAILED", "UPDATE_FAILED", "START_FAILED", "STOP_FAILED", "DELETE_FAILED")
_MOST_PAGE = 100


class Runner(Protocol):
    """What carries the events of pipes."""

    def start(self, settings: PipeSettings) -> None:
        """Carry what comes from now on.

        Raises:
            Exception: The source cannot be read; the text says why.
        """
        ...

    def stop(self, arn: str) -> None:
        """Take no more; returns when nothing more can be taken. Stopped already: nothing."""
        ...

    def forget(self, settings: PipeSettings) -> None:
        """The pipe is deleted, with its place in the stream."""
        ...


@dataclass
class Pipe:
    """A pipe.

    Attributes:
        arn: Its ARN.
        description: What was asked for, as the API has it.
        desired: ``RUNNING`` or ``STOPPED``.
        state: ``CurrentState``.
        reason: ``StateReason``.
        id: Of this pipe, and of no later one of the same name.
    """

    arn: str
    description: dict[str, Any]
    desired: str
    state: str
    tags: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def name(self) -> str:
        """Its name."""
        return self.arn.rpartition("/")[2]

    @property
    def settings(self) -> PipeSettings:
        """What its runner needs."""
        given = self.description
        return PipeSettings(
            self.arn,
            self.id,
            given["Source"],
            given["Target"],
            given.get("Enrichment") or "",
            copy.deepcopy(given.get("SourceParameters") or {}),
            copy.deepcopy(given.get("TargetParameters") or {}),
            (given.get("EnrichmentParameters") or {}).get("InputTemplate") or "",
            given["RoleArn"],
        )


class Pipes:
    """The pipes of all accounts and regions.

    Args:
        runner: Carries their events.
        is_pattern: Whether an object is an event pattern that filters can have.
        why_not_assumed: Why Pipes cannot assume a role for a pipe, both by ARN; None when it can.
    """

    def __init__(
        self,
        runner: Runner,
        is_pattern: Callable[[Any], bool] = lambda pattern: True,
        why_not_assumed: Callable[[str, str], str | None] = lambda role, pipe: None,
    ) -> None:
        self._runner = runner
        self._is_pattern = is_pattern
        self._why_not_assumed = why_not_assumed
        self._pipes: dict[str, Pipe] = {}
        self._lock = threading.RLock()
        self._work = ThreadPoolExecutor(8, thread_name_prefix="pipe-states")

    # -- operations ---------------------------------------------------------------------------

    @operation("CreatePipe")
    def create_pipe(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Make a pipe."""
        given = _with_defaults(request)
        check_pipe(given, self._is_pattern)
        _check_tags(request.get("Tags") or {})
        arn = _arn(caller, request["Name"])
        self._check_role(given["RoleArn"], arn)
        with self._lock:
            if arn in self._pipes:
                raise _conflict(f"Pipe {request['Name']} already exists.")
            desired = request.get("DesiredState") or "RUNNING"
            pipe = Pipe(
                arn,
                {key: given[key] for key in _DESCRIPTION if given.get(key) is not None},
                desired,
                "CREATING",
                dict(request.get("Tags") or {}),
            )
            self._pipes[arn] = pipe
            answer = _summary(pipe)
        self._then(pipe, lambda: self._run(pipe), desired, "CREATE_FAILED")
        return answer

    @operation("UpdatePipe")
    def update_pipe(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Change a pipe; what was left out of the request goes, as far as AWS lets it."""
        with self._lock:
            pipe = self._steady(caller, request)
            given = _updated(pipe, request)
            check_pipe({**given, "Name": pipe.name}, self._is_pattern)
            self._check_role(given["RoleArn"], pipe.arn)
            pipe.desired = request.get("DesiredState") or pipe.desired
            pipe.modified = datetime.now(UTC)
            pipe.state, pipe.reason = "UPDATING", ""
            pipe.description = given
            answer = _summary(pipe)

        def update() -> None:
            self._runner.stop(pipe.arn)
            self._run(pipe)

        self._then(pipe, update, pipe.desired, "UPDATE_FAILED")
        return answer

    @operation("StartPipe")
    def start_pipe(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Have a pipe run."""
        with self._lock:
            pipe = self._steady(caller, request)
            if pipe.state == "RUNNING":
                return _summary(pipe)
            pipe.desired, pipe.state, pipe.reason = "RUNNING", "STARTING", ""
            pipe.modified = datetime.now(UTC)
            answer = _summary(pipe)
        self._then(pipe, lambda: self._run(pipe), "RUNNING", "START_FAILED")
        return answer

    @operation("StopPipe")
    def stop_pipe(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Have a pipe rest: what it has taken is finished."""
        with self._lock:
            pipe = self._steady(caller, request)
            if pipe.state == "STOPPED":
                return _summary(pipe)
            pipe.desired, pipe.state, pipe.reason = "STOPPED", "STOPPING", ""
            pipe.modified = datetime.now(UTC)
            answer = _summary(pipe)
        self._then(pipe, lambda: self._runner.stop(pipe.arn), "STOPPED", "STOP_FAILED")
        return answer

    @operation("DeletePipe")
    def delete_pipe(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Delete a pipe: what it has taken is finished, the rest stays in the source."""
        with self._lock:
            pipe = self._steady(caller, request)
            pipe.desired, pipe.state = "DELETED", "DELETING"
            pipe.modified = datetime.now(UTC)
            answer = _summary(pipe)

        def delete() -> None:
            self._runner.stop(pipe.arn)
            self._runner.forget(pipe.settings)
            with self._lock:
                self._pipes.pop(pipe.arn, None)

        self._then(pipe, delete, "DELETED", "DELETE_FAILED")
        return answer

    @operation("DescribePipe")
    def describe_pipe(self, caller: Caller, request: Request) -> dict[str, Any]:
        """A pipe with all its settings."""
        with self._lock:
            pipe = self._find(caller, request)
            return {
                **_summary(pipe),
                **copy.deepcopy(pipe.description),
                "Tags": dict(pipe.tags),
                **_reason(pipe),
            }

    @operation("ListPipes")
    def list_pipes(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Pipes by their names, a page of them."""
        token, limit = request.get("NextToken") or "", request.get("Limit") or _MOST_PAGE
        if not 1 <= limit <= _MOST_PAGE:
            raise refusal(f"Limit must be from 1 to {_MOST_PAGE}, not {limit}.")
        with self._lock:
            mine = [
                self._pipes[arn]
                for arn in sorted(self._pipes)
                if _place(arn) == (caller.region, caller.account_id)
            ]
            found = [_row(one) for one in mine if one.name > token and _is_asked(one, request)]
        page: dict[str, Any] = {"Pipes": found[:limit]}
        if len(found) > limit:
            page["NextToken"] = found[limit - 1]["Name"]
        return page

    @operation("TagResource")
    def tag_resource(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Add tags to a pipe."""
        _check_tags(request.get("tags") or {})
        with self._lock:
            self._by_arn(request["resourceArn"]).tags.update(request.get("tags") or {})
        return {}

    @operation("UntagResource")
    def untag_resource(self, caller: Caller, request: Request) -> dict[str, Any]:
        """Take tags from a pipe."""
        with self._lock:
            tags = self._by_arn(request["resourceArn"]).tags
            for key in request.get("tagKeys") or []:
                tags.pop(key, None)
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, caller: Caller, request: Request) -> dict[str, Any]:
        """The tags of a pipe."""
        with self._lock:
            return {"tags": dict(self._by_arn(request["resourceArn"]).tags)}

    def settings(self, arn: str) -> PipeSettings:
        """What the runner needs of a pipe.

        Raises:
            ServiceError: There is none with this ARN.
        """
        with self._lock:
            return self._by_arn(arn).settings

    def stop_all(self) -> None:
        """Take no more events, because the emulator ends."""
        with self._lock:
            arns = list(self._pipes)
        for arn in arns:
            self._runner.stop(arn)
        self._work.shutdown(wait=False)

    # -- states -------------------------------------------------------------------------------

    def _check_role(self, role: str, pipe_arn: str) -> None:
        """Check that Pipes may assume a role.

        Raises:
            ServiceError: It may not, or there is no such role.
        """
        if problem := self._why_not_assumed(role, pipe_arn):
            raise refusal(
                f"The execution role must allow EventBridge Pipes to assume it. {problem}"
            )

    def _run(self, pipe: Pipe) -> None:
        if pipe.desired == "RUNNING":
            self._runner.start(pipe.settings)

    def _then(self, pipe: Pipe, change: Callable[[], None], state: str, failed: str) -> None:
        def make() -> None:
            try:
                change()
            except Exception as error:  # whatever it is, the pipe says it
                LOG.warning("%s: %s: %s", pipe.arn, failed, error)
                with self._lock:
                    pipe.state, pipe.reason = failed, str(error)
                return
            with self._lock:
                pipe.state, pipe.reason = state, "User initiated"

        self._work.submit(make)

    def _steady(self, caller: Caller, request: Request) -> Pipe:
        """The pipe of a request that changes it.

        Raises:
            ServiceError: There is none, or a change is under way.
        """
        pipe = self._find(caller, request)
        if pipe.state not in (*_STEADY, *_FAILED):
            raise _conflict(f"Pipe {pipe.name} is in the state {pipe.state}: try again later.")
        return pipe

    def _find(self, caller: Caller, request: Request) -> Pipe:
        check_name(request.get("Name"))
        return self._by_arn(_arn(caller, request["Name"]))

    def _by_arn(self, arn: str) -> Pipe:
        pipe = self._pipes.get(arn)
        if pipe is None:
            name = arn.rpartition("/")[2]
            raise ServiceError("NotFoundException", f"Pipe {name} does not exist.", 404)
        return pipe


def _arn(caller: Caller, name: str) -> str:
    return f"arn:aws:pipes:{caller.region}:{caller.account_id}:pipe/{name}"


def _place(arn: str) -> tuple[str, str]:
    parts = arn.split(":")
    return parts[3], parts[4]


def _conflict(message: str) -> ServiceError:
    return ServiceError("ConflictException", message, 409)


def _check_tags(tags: dict[str, str]) -> None:
    if len(tags) > 50:
        raise refusal("A pipe has at most 50 tags.")


def _summary(pipe: Pipe) -> dict[str, Any]:
    return {
        "Arn": pipe.arn,
        "Name": pipe.name,
        "DesiredState": pipe.desired,
        "CurrentState": pipe.state,
        "CreationTime": pipe.created,
        "LastModifiedTime": pipe.modified,
    }


def _row(pipe: Pipe) -> dict[str, Any]:
    """A pipe in a list."""
    places = ("Source", "Target", "Enrichment")
    given = {key: pipe.description[key] for key in places if pipe.description.get(key)}
    return {**_summary(pipe), **given, **_reason(pipe)}


def _is_asked(pipe: Pipe, request: Request) -> bool:
    """Whether a pipe passes the filters of ``ListPipes``."""
    row = _row(pipe)
    prefixes = {"NamePrefix": "Name", "SourcePrefix": "Source", "TargetPrefix": "Target"}
    return all(
        row[key].startswith(request.get(prefix) or "") for prefix, key in prefixes.items()
    ) and all(
        request.get(state) in (None, row[state]) for state in ("DesiredState", "CurrentState")
    )


def _reason(pipe: Pipe) -> dict[str, str]:
    return {"StateReason": pipe.reason} if pipe.reason else {}


def _with_defaults(request: Request) -> dict[str, Any]:
    """A request with the batch size that AWS fills in: no more than the target takes."""
    given = {key: copy.deepcopy(value) for key, value in request.items()}
    service = service_of(str(given.get("Source") or ""))
    if service not in SOURCES:
        return given
    key, size = SOURCES[service]
    most = MOST_ENTRIES.get(service_of(str(given.get("Target") or "")), size)
    parameters = given.setdefault("SourceParameters", {})
    if service == "sqs":
        parameters.setdefault(key, {})
    if key in parameters:
        parameters[key].setdefault("BatchSize", min(size, most))
    return given


def _updated(pipe: Pipe, request: Request) -> dict[str, Any]:
    """A pipe's settings after ``UpdatePipe``.

    The source stays, and so do a stream's starting position and what an update of source parameters
    leaves out.
    """
    given = copy.deepcopy(pipe.description)
    for key in ("Description", "Enrichment", "EnrichmentParameters", "Target", "TargetParameters"):
        if key in request:
            value = copy.deepcopy(request[key])
            if isinstance(value, dict):  # an empty template is none
                value = {name: one for name, one in value.items() if one != ""}
            given[key] = value
            if not value:
                del given[key]
    if not given.get("Enrichment"):
        given.pop("EnrichmentParameters", None)
    given["RoleArn"] = request["RoleArn"]
    changes = request.get("SourceParameters") or {}
    parameters = given.setdefault("SourceParameters", {})
    for key, change in changes.items():
        if key == "FilterCriteria":
            parameters[key] = copy.deepcopy(change)
            if not parameters[key].get("Filters"):
                del parameters[key]
        else:
            parameters[key] = {**parameters.get(key, {}), **copy.deepcopy(change)}
            if not (parameters[key].get("DeadLetterConfig") or {"Arn": "no change"}).get("Arn"):
                del parameters[key]["DeadLetterConfig"]
    return given

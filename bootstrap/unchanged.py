"""Whether a run has nothing to do, in one request.

The emulator counts what may have changed a resource, and keeps what a run leaves there for as long
as nothing does (docs/plan.md, "When nothing was changed"). A run that finds there what it would
leave itself is done. Nothing here says what the state of a resource is: that only a plan does.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bootstrap import builds
from bootstrap.gateway import request
from bootstrap.settings import Settings
from bootstrap.template import Physical, Template

_PATH = "/_trigger_stack/changes/"
_TIMEOUT_S = 10
#: What a run does depends on its own code, too.
_CODE = Path(__file__).parent


@dataclass(frozen=True)
class Known:
    """What a run left everything as.

    Attributes:
        account: account id of the credentials.
        created: the values of each resource for ``Ref`` and ``Fn::GetAtt``, by logical id.
    """

    account: str
    created: dict[str, Physical]


class Changes:
    """What the emulator knows of changes, for one service and stage.

    Args:
        run: names this run; its clients send it with each call.
    """

    def __init__(self, template: Template, settings: Settings, run: str) -> None:
        self._template = template
        self._settings = settings
        self._run = run
        self._since: int | None = None

    def recall(self) -> Known | None:
        """What the last run left, if it had nothing more to do than this one; else None.

        To be called before anything is looked at. Takes one request.
        """
        answer = self._request("GET")
        self._since = answer.get("number") if answer else None
        content = answer.get("content") if answer else None
        if not content or content["digest"] != digest(
            self._template, self._settings, builds.hashes(self._template)
        ):
            return None
        created = {name: Physical(*values) for name, values in content["created"].items()}
        return Known(content["account"], created)

    @property
    def none(self) -> bool:
        """Whether nothing was changed since the emulator started: there is nothing yet."""
        return self._since == 0

    def remember(self, known: Known, packages: dict[str, str]) -> None:
        """Leave what this run found or made; the emulator keeps it if nobody else changed anything.

        Args:
            packages: what the run compared the packages of functions and layers with, as
                :func:`bootstrap.builds.hashes` has them.
        """
        if self._since is None:  # another emulator, which counts nothing
            return
        content = {
            "digest": digest(self._template, self._settings, packages),
            "account": known.account,
            "created": {name: [one.ref, one.attributes] for name, one in known.created.items()},
        }
        self._request("PUT", {"since": self._since, "run": self._run, "content": content})

    def _request(self, method: str, body: Any = None) -> dict[str, Any] | None:
        """The answer; None when there is none: then the run looks at everything."""
        name = quote(f"{self._template.service}-{self._template.stage}", safe="")
        sent = json.dumps(body).encode() if body else None
        answer = request(self._settings, method, _PATH + name, sent, timeout=_TIMEOUT_S)
        if answer is None or answer[0] != HTTPStatus.OK:
            return None
        content = json.loads(answer[1])
        return content if isinstance(content, dict) else None


def digest(template: Template, settings: Settings, packages: dict[str, str]) -> str:
    """A hash of everything that decides what a run makes.

    Args:
        packages: as :func:`bootstrap.builds.hashes` has them.
    """
    facts = [
        [str(template.document.path.absolute()), template.service, template.stage, template.region],
        [settings.endpoint_url, settings.http_api_url, settings.region, settings.smtp_port],
        os.environ.get("HTTP_API_ID", ""),
        [
            [one.logical_id, one.type, one.properties, sorted(one.depends_on)]
            for one in template.resources.values()
        ],
        packages,
        _own_code(),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=repr).encode()).hexdigest()


def _own_code() -> list[list[Any]]:
    """The files of the bootstrap, as far as a change of them shows."""
    files = sorted(_CODE.rglob("*.py")) + sorted(_CODE.rglob("*.json"))
    facts = ((file, file.stat()) for file in files)
    return [[str(file), stat.st_mtime_ns, stat.st_size] for file, stat in facts]

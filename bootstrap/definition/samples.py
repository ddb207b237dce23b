"""What a project fires its triggers with: ``samples/*.json`` beside its definition.

A trigger without a sample gets an empty body, or one that its filter or pattern matches.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from bootstrap.errors import WrongUseError

#: The message body that is sent when it is not known what the function expects.
ANY_BODY = "{}"
_PARAMETER = re.compile(r"\{([^}+]+)\+?\}")


class Samples:
    """The files of one project's folder; each is read when a trigger asks for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def body(self, name: str) -> str | None:
        """What goes into a queue, stream or pipe, or is the ``detail`` of what a rule is for.

        Args:
            name: of the queue, stream, pipe or rule; the file is ``<name>.json``.

        Raises:
            WrongUseError: the file is no JSON.
        """
        content = self._read(name)
        return None if content is None else json.dumps(content, ensure_ascii=False)

    def filled(self, path: str) -> str:
        """A path that a route has: each ``{parameter}`` and ``*`` with a value."""
        values = self._requests("parameters")
        filled = _PARAMETER.sub(lambda part: str(values.get(part[1], part[1])), path)
        return filled.replace("*", str(values.get("*", "x"))).replace("?", "x")

    def request_body(self, path: str) -> str:
        """The body of a request, by the route's path as the definition has it."""
        bodies = self._requests("bodies")
        return json.dumps(bodies[path], ensure_ascii=False) if path in bodies else ANY_BODY

    def authorization(self, authorizer: str) -> str | None:
        """The ``Authorization`` header that an authorizer lets through, in a shell's words."""
        value = self._requests("authorization").get(authorizer)
        return None if value is None else str(value)

    def object_key(self, bucket: str) -> str | None:
        """The key of an object for a bucket, without the prefix and suffix that a rule asks for."""
        value = self._mapping("objects").get(bucket)
        return None if value is None else str(value)

    def _requests(self, part: str) -> dict[str, Any]:
        found = self._all_requests.get(part, {})
        return found if isinstance(found, dict) else {}

    @cached_property
    def _all_requests(self) -> dict[str, Any]:
        return self._mapping("requests")

    def _mapping(self, name: str) -> dict[str, Any]:
        found = self._read(name)
        return found if isinstance(found, dict) else {}

    def _read(self, name: str) -> Any:
        if not name or "/" in name or "\0" in name:
            return None
        file = self.folder / f"{name}.json"
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise WrongUseError(f"{file} is not a sample: {error}.") from error

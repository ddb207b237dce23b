"""LocalStack's index of every AWS API, made once at set-up.

LocalStack finds the service of a request in an index over the descriptions of all 400 services. It
builds one when there is none, at the first request: seconds of work and half a gigabyte of memory
that the process keeps. Set-up builds it with LocalStack's own ``python -m localstack.aws.spec``.
"""

from __future__ import annotations

import shutil
from pathlib import Path

#: Where LocalStack looks for it, below its ``FILESYSTEM_ROOT``.
_FOLDER = Path("usr/lib/localstack")
BUILT = Path(".build/localstack")


def provide(state: Path) -> None:
    """Put the index where an emulator with ``FILESYSTEM_ROOT=state`` looks for it.

    Without one that has been built nothing happens: LocalStack builds its own.
    """
    for index in (BUILT / _FOLDER).glob("service-catalog-*.dill"):
        target = state / _FOLDER / index.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(index, target)

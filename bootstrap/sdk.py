"""botocore, as far as the stack's clients need it.

Half of the time that ``import boto3`` takes goes into what no call of theirs uses: transfers, a
second implementation of TLS and one of signatures, for which whole libraries are loaded.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from botocore.session import Session

#: botocore imports these where they are installed, and does without where they are not.
_NOT_NEEDED: Final = ("awscrt", "urllib3.contrib.pyopenssl")


@cache
def session() -> Session:
    """The session that makes all clients."""
    _import_botocore()
    import botocore.session
    from botocore.loaders import JSONFileLoader, Loader

    class Files(JSONFileLoader):
        """Reads into plain dictionaries, in a third of the time."""

        def _load_file(self, full_path: str, open_method: Any) -> Any:
            try:
                with open_method(full_path, "rb") as file:
                    return orjson.loads(file.read())
            except FileNotFoundError:
                return None

    class Models(Loader):
        """Takes it that each service has every kind of model, for it looks for the file, too."""

        def list_available_services(self, type_name: str) -> list[str]:
            return [entry.name for entry in Path(self.BUILTIN_DATA_PATH).iterdir()]

    made = botocore.session.Session()
    made.register_component("data_loader", Models(file_loader=Files()))
    return made


def _import_botocore() -> None:
    """Import botocore, unless somebody has, without what is not needed."""
    if "botocore.session" in sys.modules:
        return
    left_out = [name for name in _NOT_NEEDED if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules |= dict.fromkeys(left_out)  # what is None cannot be imported
    try:
        importlib.import_module("botocore.session")
    finally:
        for name in left_out:
            del modules[name]

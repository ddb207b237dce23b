"""What botocore knows of a service is read once in a process, and kept as plain dictionaries.

What: ``botocore.loaders.JSONFileLoader.load_file`` keeps what it has read;
``Loader.list_available_services`` does not look whether botocore's own folders have the files that
all of them have; all sessions have one loader (``create_loader`` of ``botocore.session``).
``moto.core.loaders.Loader`` takes a model from it and adds what moto adds to a copy; moto asks it,
not a new client, for the addresses of a service's operations (``moto.core.responses.boto3``).
Why: LocalStack, moto and the clients of both read the model of each service for themselves, with
Python's parser and into ``OrderedDict``, which takes three times as long and more memory. moto
looks through the folders of all services for each. botocore looks into each of its 400 folders
twice before it makes its first client.
Until: LocalStack and moto have one loader.
Test: ``tests/unit/plugin/test_service_models.py``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import botocore.session
import orjson
from botocore.loaders import JSONFileLoader, Loader, instance_cache

_KEPT: Final[dict[str, Any]] = {}


def read_once() -> None:
    """Patch botocore. Idempotent."""
    JSONFileLoader._load_file = _read  # type: ignore[attr-defined]  # a patch
    JSONFileLoader.load_file = _load_file  # type: ignore[method-assign]  # a patch
    Loader.list_available_services = _list_available_services  # type: ignore[method-assign]  # a patch
    botocore.session.create_loader = shared_loader


def share_with_moto() -> None:
    """Patch moto. Idempotent."""
    from moto.core import loaders, responses

    loaders.Loader.load_service_model = _for_moto  # type: ignore[method-assign]  # a patch
    # All that moto uses of it there.
    responses.boto3 = SimpleNamespace(client=_addresses)  # type: ignore[assignment]  # a patch


shared_loader = cache(botocore.session.create_loader)
_load: Final = JSONFileLoader.load_file
_list: Final = Loader.list_available_services
#: What botocore has of each service.
_OF_EACH: Final = ("service-2", "endpoint-rule-set-1")


@instance_cache
def _list_available_services(self: Any, type_name: str) -> list[str]:
    """``Loader.list_available_services``."""
    if type_name not in _OF_EACH:
        return _list(self, type_name)
    names: set[str] = set()
    for place in self._potential_locations():
        is_botocores = place == self.BUILTIN_DATA_PATH
        for folder in Path(place).iterdir():
            if folder.is_dir() and (is_botocores or _has(self, folder, type_name)):
                names.add(folder.name)
    return sorted(names)


def _has(loader: Any, folder: Path, type_name: str) -> bool:
    """Whether a version of a service has a kind of file."""
    versions = folder.iterdir()
    return any(loader.file_loader.exists(str(version / type_name)) for version in versions)


def _read(self: Any, path: str, open_file: Any) -> Any:
    try:
        with open_file(path, "rb") as file:
            return orjson.loads(file.read())
    except FileNotFoundError:
        return None


def _load_file(self: Any, file_path: str) -> Any:
    data = _KEPT.get(file_path)
    if data is None:
        data = _load(self, file_path)
        if data is not None and not _is_changed(file_path):
            _KEPT[file_path] = data
    return data


def _is_changed(file_path: str) -> bool:
    """Whether LocalStack changes the model for itself: what botocore's clients change stays out."""
    from localstack.aws.spec import loader

    return file_path.endswith(tuple(loader.patches))


def _for_moto(
    self: Any, service_name: str, type_name: str, api_version: str | None = None
) -> dict[str, Any]:
    """``Loader.load_service_model``."""
    loader: Loader = shared_loader()
    model: dict[str, Any] = loader.load_service_model(service_name, type_name, api_version)
    version = api_version or loader.determine_latest_version(service_name, type_name)
    for extras in self._find_extras(service_name, type_name, version):
        model = _merged(model, extras.get("merge", {}))
    return model


def _merged(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """What ``botocore.utils.deep_merge`` makes of ``base``, which stays as it is."""
    made = dict(base)
    for key, value in extra.items():
        old = made.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        made[key] = _merged(old, value) if both else value  # type: ignore[arg-type]  # both are
    return made


def _addresses(service_name: str, **_: Any) -> Any:
    from moto.core.utils import get_service_model

    return SimpleNamespace(_service_model=get_service_model(service_name))

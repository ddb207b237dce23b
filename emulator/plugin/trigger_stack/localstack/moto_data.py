"""Data that takes long to make is made when somebody asks for it.

What: ``IAMBackend.aws_managed_policies`` and ``managed_policies`` are filled at their first use;
so is LocalStack's ``IamProvider._aws_managed_policy_cache``; the key that each
``CognitoIdpUserPool`` reads from a file, once for all; and each list of the instance types that EC2
offers (``load_resource``, as ``moto.ec2.models.instance_types`` calls it).
Why: moto reads 1300 policies of AWS's with the first request of an account, whatever it is for:
that takes more than a second, in which nothing else is answered. LocalStack reads them once more
with the first request to IAM, for 0.2 s. A user pool takes 80 ms for a key
that nobody uses here, and EC2 100 ms for what its regions offer: a load balancer needs a subnet.
Until: moto and LocalStack do so.
Test: ``tests/unit/plugin/test_moto_data.py``.
"""

from __future__ import annotations

import threading
from collections import UserList
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from moto.utilities import utils

_LATER: Final[Any] = object()
_LOCK: Final = threading.RLock()
_OFFERED: Final = "/instance_type_offerings/"
_read: Final = utils.load_resource


class _AtFirstUse:
    """An attribute that is made when it is read, if it was set to ``_LATER``."""

    def __init__(self, name: str, make: Callable[[Any], Any]) -> None:
        self._name = name
        self._make = make

    def __get__(self, owner: Any, kind: type) -> Any:
        if owner is None:
            return self
        values = vars(owner)
        if values[self._name] is _LATER:
            with _LOCK:
                if values[self._name] is _LATER:
                    values[self._name] = self._make(owner)
        return values[self._name]

    def __set__(self, owner: Any, value: Any) -> None:
        vars(owner)[self._name] = value


def install() -> None:
    """Patch moto and LocalStack. Idempotent."""
    from localstack.services.iam.provider import IamProvider
    from moto.iam import models as iam

    backend: Any = iam.IAMBackend
    if isinstance(vars(backend).get("managed_policies"), _AtFirstUse):
        return
    for name, method in (
        ("aws_managed_policies", "_init_aws_policies"),
        ("managed_policies", "_init_managed_policies"),
    ):
        setattr(backend, name, _AtFirstUse(name, getattr(backend, method)))
        setattr(backend, method, lambda self: _LATER)
    provider: Any = IamProvider
    make = provider._build_aws_managed_policy_cache
    provider._aws_managed_policy_cache = _AtFirstUse("_aws_managed_policy_cache", make)
    provider._build_aws_managed_policy_cache = lambda self: _LATER
    utils.load_resource = _load_resource


def install_user_pools() -> None:
    """Patch moto's user pools, whose import takes a while. Idempotent."""
    from moto.cognitoidp import models as cognito

    pool: Any = cognito.CognitoIdpUserPool
    pool.json_web_key = _AtFirstUse("json_web_key", lambda _: _key())
    later = SimpleNamespace(import_key=lambda content: _LATER)
    cognito.jwk = SimpleNamespace(RSAKey=later)  # type: ignore[assignment]  # all that moto uses of it


@cache
def _key() -> Any:
    from joserfc.jwk import RSAKey
    from moto.cognitoidp import models

    return RSAKey.import_key(_read(models.__name__, "resources/jwks-private.json"))


def _load_resource(package: str, resource: str) -> Any:
    if package.endswith("ec2.models.instance_types") and _OFFERED in resource:
        return _Offered(package, resource)
    return _read(package, resource)


class _Offered(UserList[dict[str, Any]]):
    """What a region offers. moto goes through it once to write the kind of place into it."""

    def __init__(self, package: str, resource: str) -> None:
        self._file = package, resource
        self._made = False

    @cached_property
    def data(self) -> list[dict[str, Any]]:  # type: ignore[override]  # read when it is asked for
        kind = Path(self._file[1]).parent.name
        return [{**one, "LocationType": kind} for one in _read(*self._file)]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        made, self._made = self._made, True
        return iter(self.data if made else ())

"""Data that takes long to make is made when somebody asks for it.

What: ``IAMBackend.aws_managed_policies`` and ``managed_policies`` are filled at their first use;
so is LocalStack's ``IamProvider._aws_managed_policy_cache``; the key that each
``CognitoIdpUserPool`` reads from a file is read once.
Why: moto reads 1300 policies of AWS's with the first request of an account, whatever it is for:
that takes more than a second, in which nothing else is answered. LocalStack reads them once more
with the first request to IAM, for 0.2 s. A user pool takes 80 ms for a key
that nobody uses here.
Until: moto and LocalStack do so.
Test: ``tests/unit/plugin/test_moto_data.py``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

_LATER: Final[Any] = object()
_LOCK: Final = threading.RLock()


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
    from moto.cognitoidp import models as cognito
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
    read = cognito.jwk.RSAKey.import_key
    once = cache(lambda text: read(json.loads(text)))
    key = SimpleNamespace(import_key=lambda content: once(json.dumps(content)))
    cognito.jwk = SimpleNamespace(RSAKey=key)  # type: ignore[assignment]  # all that moto uses of it

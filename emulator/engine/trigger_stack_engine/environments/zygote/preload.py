"""Modules that the parent imports once for all its children."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from trigger_stack_engine.environments.zygote.kernel import LINUX

#: Modules of the runtime that read the environment when they are imported, in the order in which
#: they are: the parent loads their code, which runs after the fork.
_LATE = ("awslambdaric.lambda_runtime_client", "awslambdaric.bootstrap")
_late: list[tuple[Any, Any, Any]] = []  # package, module's spec, code


def preload(modules: list[str], paths: list[str]) -> None:
    """Import what most functions import, and warm botocore's caches of parsed service models."""
    sys.path[:0] = paths
    for name in modules:
        # A module that is not there only means a slower first import in the children.
        with contextlib.suppress(ImportError):
            __import__(name)
    with contextlib.suppress(ImportError, AttributeError):  # as above
        _load_late_code()
    if "botocore" in sys.modules:
        _warm_botocore()
    if LINUX:
        with contextlib.suppress(OSError):
            ctypes.CDLL("libstdc++.so.6", mode=os.RTLD_GLOBAL)
    for path in paths:
        sys.path.remove(path)


def _load_late_code() -> None:
    for name in _LATE:
        spec: Any = importlib.util.find_spec(name)
        _late.append((sys.modules[spec.parent], spec, spec.loader.get_code(name)))


def run_late_code() -> None:
    """Import what reads the environment, unless the function has that package of its own."""
    for package, spec, code in _late:
        if sys.modules.get(spec.parent) is package:
            module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
            exec(code, module.__dict__)  # noqa: S102  as the import does


WARM_SERVICES = (
    "dynamodb",
    "s3",
    "sqs",
    "sns",
    "events",
    "ses",
    "sesv2",
    "lambda",
    "rekognition",
    "cloudfront",
    "kinesis",
    "scheduler",
    "ssm",
    "sts",
    "logs",
)


def _warm_botocore() -> None:
    """Share the JSON models between all children: botocore's loader caches per instance.

    A session is made per process, each with its own loader, so the loaded data are put where every
    later instance finds them: in front of the loader's file reading.
    """
    import botocore.loaders
    import botocore.session

    reader: Any = botocore.loaders.JSONFileLoader
    read, parse = reader.load_file, reader._load_file
    cache: dict[str, Any] = {}

    def parse_plainly(self: Any, full_path: str, open_method: Any) -> Any:
        # botocore makes ordered dictionaries: twice the time and memory.
        if not os.path.isfile(full_path):  # noqa: PTH113  as above
            return None
        with open_method(full_path, "rb") as file:
            return json.loads(file.read())

    def load_file(self: Any, file_path: str) -> Any:
        data = cache.get(file_path)
        return read(self, file_path) if data is None else data

    def load_and_keep(self: Any, file_path: str) -> Any:
        data = cache.get(file_path)
        if data is None:
            data = cache[file_path] = read(self, file_path)
        return data

    reader.load_file, reader._load_file = load_and_keep, parse_plainly
    with contextlib.suppress(Exception):  # a version of botocore that is made differently
        _share_event_names()
    stop_learning = _learn_handlers()
    session = botocore.session.Session()
    for service in WARM_SERVICES:
        with contextlib.suppress(Exception):  # a service that this version does not know
            session.create_client(
                service,
                region_name="us-east-1",
                aws_access_key_id="none",
                aws_secret_access_key="none",  # noqa: S106  no request is made
            )
    if "boto3" in sys.modules:
        # boto3's resources have models of their own, in files beside botocore's.
        with contextlib.suppress(Exception):
            sys.modules["boto3"].Session(botocore_session=session).resource(
                "dynamodb",
                region_name="us-east-1",
                aws_access_key_id="none",
                aws_secret_access_key="none",  # noqa: S106  no request is made
            ).Table("none")
    reader.load_file, reader._load_file = load_file, parse
    stop_learning()
    with contextlib.suppress(Exception):  # a version of botocore that is made differently
        _share_loader(botocore.loaders.Loader, session.get_component("data_loader"))


def _share_event_names() -> None:
    """Let all sessions and clients share what they find out about names of events.

    For each name of an event botocore tries all of its aliases: a third of making a client.
    """
    import botocore.hooks

    aliaser: Any = botocore.hooks.EventAliaser
    usual = dict(botocore.hooks.EVENT_ALIASES)
    make = aliaser.__init__
    known: dict[str, str] = {}

    def __init__(self: Any, event_emitter: Any, event_aliases: Any = None) -> None:  # noqa: N807
        make(self, event_emitter, event_aliases)
        if self._event_aliases == usual:
            self._alias_name_cache = known

    aliaser.__init__ = __init__


def _learn_handlers() -> Callable[[], None]:
    """Remember which of botocore's own handlers take further arguments, until the result is called.

    To find that out ``inspect`` looks at the signature of each handler of each session and client.
    """
    import botocore.hooks

    hooks: Any = botocore.hooks
    look = getattr(hooks, "accepts_kwargs", None)
    if look is None:
        return lambda: None
    known: dict[Any, Any] = {}

    def learn(function: Any) -> Any:
        found = look(function)
        plain = getattr(function, "__func__", function)
        if isinstance(plain, types.FunctionType):
            known[plain] = found
        return found

    def accepts_kwargs(function: Any) -> Any:
        plain = getattr(function, "__func__", function)
        if isinstance(plain, types.FunctionType) and plain in known:
            return known[plain]
        return look(function)

    def stop() -> None:
        hooks.accepts_kwargs = accepts_kwargs

    hooks.accepts_kwargs = learn
    return stop


def _share_loader(loader_class: Any, warm: Any) -> None:
    """Let every loader with the usual search path start with what ``warm`` knows.

    To look for the newest version of a service's model botocore lists hundreds of folders, which
    takes longer than all the rest of making a client.
    """
    known = dict(warm._cache)
    make = loader_class.__init__

    def __init__(self: Any, extra_search_paths: Any = None, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        make(self, extra_search_paths, *args, **kwargs)
        if not extra_search_paths:
            self._cache.update(known)

    loader_class.__init__ = __init__

"""Handlers that are packaged and never run."""


def handler(event: object, context: object) -> None: ...


def other(event: object, context: object) -> None: ...

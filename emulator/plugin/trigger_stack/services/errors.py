"""The errors that an operation of a service answers with."""

from __future__ import annotations


class ServiceError(Exception):
    """An error of an AWS API.

    Args:
        code: Name of the error in the API, for example ``NotFoundException``.
        message: Text for the caller.
        status: HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

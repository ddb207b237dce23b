"""Errors of the control plane in the shapes of the service model."""

from __future__ import annotations

from localstack.aws.api import CommonServiceException


class NotFoundException(CommonServiceException):
    """404: a resource the request names does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__("NotFoundException", message, status_code=404, sender_fault=True)


class BadRequestException(CommonServiceException):
    """400: the request is not valid."""

    def __init__(self, message: str) -> None:
        super().__init__("BadRequestException", message, status_code=400, sender_fault=True)


class ConflictException(CommonServiceException):
    """409: the request contradicts what exists."""

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message, status_code=409, sender_fault=True)


class NotEmulatedException(CommonServiceException):
    """501: AWS has it, this emulator has not. Better than to accept and ignore it."""

    def __init__(self, message: str) -> None:
        super().__init__("InternalFailure", message, status_code=501)


def unknown(kind: str, identifier: str) -> NotFoundException:
    """``Invalid Route identifier specified …``, as API Gateway words it."""
    return NotFoundException(f"Invalid {kind} identifier specified {identifier}")

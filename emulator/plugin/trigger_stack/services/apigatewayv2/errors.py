"""Errors of the control plane in the shapes of the service model."""

from __future__ import annotations

from trigger_stack.services.errors import ServiceError


class NotFoundError(ServiceError):
    """404: a resource the request names does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__("NotFoundException", message, 404)


class BadRequestError(ServiceError):
    """400: the request is not valid."""

    def __init__(self, message: str) -> None:
        super().__init__("BadRequestException", message, 400)


class ConflictError(ServiceError):
    """409: the request contradicts what exists."""

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message, 409)


class NotEmulatedError(ServiceError):
    """501: AWS has it, this emulator has not. Better than to accept and ignore it."""

    def __init__(self, message: str) -> None:
        super().__init__("InternalFailure", message, 501)


def unknown(kind: str, identifier: str) -> NotFoundError:
    """``Invalid Route identifier specified …``, as API Gateway words it."""
    return NotFoundError(f"Invalid {kind} identifier specified {identifier}")

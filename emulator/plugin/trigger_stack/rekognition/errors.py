"""The errors that cross from the worker process to the service."""

from __future__ import annotations

from trigger_stack.services.errors import ServiceError

_SERVER_FAULTS = {"InternalServerError": 500}


class RekognitionError(ServiceError):
    """An error to answer with: ``code`` is the name of the exception in Rekognition's API."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, _SERVER_FAULTS.get(code, 400))


def invalid_format(why: str) -> RekognitionError:
    """Not a picture that Rekognition reads."""
    return RekognitionError(
        "InvalidImageFormatException", f"Request has invalid image format: {why}"
    )


def too_large(why: str) -> RekognitionError:
    """Over a limit of "Guidelines and quotas in Amazon Rekognition"."""
    return RekognitionError("ImageTooLargeException", f"Image size is too large: {why}")


def invalid_parameter(why: str) -> RekognitionError:
    """A parameter breaks a constraint of the API."""
    return RekognitionError("InvalidParameterException", f"Request has invalid parameters: {why}")

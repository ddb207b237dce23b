"""Why a write of a brand is refused. Each message is a sentence for the caller."""

from __future__ import annotations


class MalformedBodyError(ValueError):
    """The body is no JSON."""


class UnsupportedMediaTypeError(ValueError):
    """The body is of a type that the method does not take.

    Attributes:
        accepted: The media types that it takes.
    """

    def __init__(self, accepted: tuple[str, ...]) -> None:
        super().__init__(f"The body must be {' or '.join(accepted)}")
        self.accepted = accepted


class InvalidBrandError(ValueError):
    """The body is JSON, but no brand comes of it.

    Attributes:
        reasons: One `{"field": "colors.primary", "message": "…"}` for each thing wrong.
    """

    def __init__(self, reasons: list[dict[str, str]]) -> None:
        super().__init__("This is not a valid brand")
        self.reasons = reasons


class BrandMissingError(LookupError):
    """There is no such brand."""

    def __init__(self) -> None:
        super().__init__("There is no such brand")


class PreconditionFailedError(Exception):
    """The brand is not as the request's conditions want it."""

    def __init__(self, condition: str) -> None:
        super().__init__(f"The brand is not as {condition} wants it")


class ConflictError(Exception):
    """Other writers were faster, as often as this one tried."""

    def __init__(self) -> None:
        super().__init__("The brand is being changed by others: try again")

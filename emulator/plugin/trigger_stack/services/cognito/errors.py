"""The errors of user pools, with the texts that AWS gives them.

AWS topic: Amazon Cognito user pools API Reference, "Common Errors" and the errors of each action.
"""

from __future__ import annotations

from trigger_stack.services.errors import ServiceError


def not_authorized(message: str = "Incorrect username or password.") -> ServiceError:
    """The caller is not who it says, or may not."""
    return ServiceError("NotAuthorizedException", message)


def invalid_parameter(message: str) -> ServiceError:
    """The request cannot be."""
    return ServiceError("InvalidParameterException", message)


def not_found(message: str) -> ServiceError:
    """There is no such pool, client or group."""
    return ServiceError("ResourceNotFoundException", message)


def user_not_found(message: str = "User does not exist.") -> ServiceError:
    """There is no such user, and the client may know."""
    return ServiceError("UserNotFoundException", message)


def code_mismatch() -> ServiceError:
    """The code is another one."""
    return ServiceError(
        "CodeMismatchException", "Invalid verification code provided, please try again."
    )


def expired_code() -> ServiceError:
    """There is no code, or no longer."""
    return ServiceError(
        "ExpiredCodeException", "Invalid code provided, please request a code again."
    )


def invalid_lambda_response(message: str = "Unrecognizable lambda output") -> ServiceError:
    """A trigger's function returned what is no response."""
    return ServiceError("InvalidLambdaResponseException", message)


def unsupported(what: str) -> ServiceError:
    """AWS can do it, this stack cannot."""
    return ServiceError("UnsupportedFeature", f"{what} not part of this stack.")

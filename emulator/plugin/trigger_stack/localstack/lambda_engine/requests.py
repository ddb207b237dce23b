"""What Lambda refuses of a request before it does anything, and LocalStack takes.

What: a handler in ``serve_custom_service_request_handlers``, LocalStack's own list.
Why: LocalStack checks a few members of a request. It takes an unknown ``InvocationType`` and
invokes the function, makes functions with a time-out of 0 or 5000 s, with a handler of spaces, and
with a dead-letter queue that is none; it makes functions of an image, which can never run here. A
bucket without the name of an object, and a layer without content, are internal errors to it.
Until: LocalStack checks requests against AWS's model; functions of images can run.
Test: ``tests/engine/test_lambda_requests.py``; ``tests/unit/plugin/test_lambda_requests_patch.py``
fails when LocalStack does it.

AWS topics: AWS Lambda API Reference, each operation's "Request Parameters"; Developer Guide,
"Lambda quotas" (time-out, memory) and "Adding a dead-letter queue" (a standard queue or topic);
Smithy's models of Lambda for the rest.
"""

from __future__ import annotations

import re
from typing import Any, Final

from localstack.aws.api import CommonServiceException
from localstack.aws.api.lambda_ import InvalidParameterValueException
from localstack.aws.handlers import serve_custom_service_request_handlers

from trigger_stack.services.constraints import violations

#: LocalStack checks these itself, with the words of AWS's answers, which are newer than the model.
_CHECKED: Final = frozenset(
    (
        *("ApplyOn", "Architectures", "CompatibleArchitectures", "CompatibleRuntime"),
        *("CompatibleRuntimes", "FunctionName", "InvokeMode", "Qualifier"),
        *("RecursiveLoop", "Resource", "Runtime"),
    )
)
#: The tests of mappings hold what is taken of these.
_ELSEWHERE: Final = re.compile("(Create|Update|Get|List|Delete)EventSourceMappings?")
_MOST_TIMEOUT_S: Final = 900
_MOST_MEMORY_MB: Final = 10_240
_WITH_IMAGES: Final = ("CreateFunction", "UpdateFunctionCode")
#: What would be ignored, and functions would run otherwise than on AWS.
_LEFT_OUT: Final = {
    "DurableConfig": "which has no durable executions",
    "DurableExecutionName": "which has no durable executions",
    "TenancyConfig": "which does not keep the environments of tenants apart",
    "TenantId": "which does not keep the environments of tenants apart",
}
_LETTERS: Final = ("sqs", "sns")


def check(operation: Any, request: dict[str, Any]) -> None:
    """Refuse a request that AWS refuses.

    Args:
        operation: The operation's model.
        request: What LocalStack's parser made of the request.

    Raises:
        CommonServiceException: It breaks what AWS's model says of a member.
        InvalidParameterValueException: It breaks one of Lambda's own rules.
    """
    if _ELSEWHERE.fullmatch(operation.name):
        return
    timeout = request.get("Timeout")
    problem = violations(operation.input_shape, request, _CHECKED)
    if problem is None and isinstance(timeout, int) and timeout > _MOST_TIMEOUT_S:
        problem = (
            f"1 validation error detected: Value '{timeout}' at 'timeout' failed to satisfy"
            f" constraint: Member must have value less than or equal to {_MOST_TIMEOUT_S}"
        )
    if problem is not None:
        raise CommonServiceException("ValidationException", problem, sender_fault=True)
    _check_left_out(request)
    if operation.name in _WITH_IMAGES:
        _check_code(request)
    if operation.name == "PublishLayerVersion":
        _check_layer(request["Content"])
    if operation.name == "CreateFunction":
        _check_handler(request)
    if operation.name == "AddPermission":
        _check_permission(request)
    if operation.name in ("CreateFunction", "UpdateFunctionConfiguration"):
        _check_memory(request)
        _check_logging(request.get("LoggingConfig") or {}, operation.name == "CreateFunction")
        _check_file_systems(request)
        _check_dead_letters((request.get("DeadLetterConfig") or {}).get("TargetArn") or "")


def _check_code(request: dict[str, Any]) -> None:
    code = request.get("Code") or request
    if request.get("PackageType") == "Image" or code.get("ImageUri"):
        raise _invalid(
            "PackageType Image is not supported by this stack, which runs functions as processes"
            " and not as containers: deploy the code as a .zip file (PackageType Zip)."
        )
    _check_source(code)


def _check_permission(request: dict[str, Any]) -> None:
    if request.get("FunctionUrlAuthType") and request["Action"] != "lambda:InvokeFunctionUrl":
        raise _invalid("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")


def _check_handler(request: dict[str, Any]) -> None:
    if not request.get("Runtime") or not request.get("Handler"):
        raise _invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment"
            " packages."
        )


def _check_source(code: dict[str, Any]) -> None:
    if not code.get("ZipFile") and not code.get("S3Bucket"):
        raise _invalid("Please provide a source for function code.")
    if code.get("ZipFile") and code.get("S3Bucket"):
        raise _invalid(
            "Please do not provide other FunctionCode parameters when providing a ZipFile."
        )
    _check_object(code)


def _check_layer(content: dict[str, Any]) -> None:
    """The content of a layer; which words AWS refuses none with is not recorded anywhere."""
    if not content.get("ZipFile") and not content.get("S3Bucket"):
        raise _invalid("Please provide a source for layer content: ZipFile, or S3Bucket and S3Key.")
    _check_object(content)


def _check_object(code: dict[str, Any]) -> None:
    """The object with a package; AWS's words for a bucket alone are not recorded anywhere."""
    if code.get("S3Bucket") and not code.get("S3Key"):
        raise _invalid(
            "S3Bucket needs S3Key: the name of the object in the bucket that is the deployment"
            " package."
        )


def _check_logging(config: dict[str, Any], created: bool) -> None:
    levels = config.get("ApplicationLogLevel") or config.get("SystemLogLevel")
    if levels and config.get("LogFormat", "Text" if created else None) == "Text":
        raise _invalid(
            'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your'
            ' request or change the LogFormat to "JSON" and try again.'
        )


def _check_file_systems(request: dict[str, Any]) -> None:
    if request.get("FileSystemConfigs"):
        raise _invalid(
            "FileSystemConfigs is not supported by this stack: it has no Amazon EFS, and the path"
            " would not be there."
        )


def _check_left_out(request: dict[str, Any]) -> None:
    for name, why in _LEFT_OUT.items():
        if request.get(name) is not None:
            raise _invalid(f"{name} is not supported by this stack, {why}.")


def _check_memory(request: dict[str, Any]) -> None:
    # The model has the most of Lambda Managed Instances; other functions have a quota of their own.
    if request.get("CapacityProviderConfig"):
        return
    if (request.get("MemorySize") or 0) > _MOST_MEMORY_MB:
        raise _invalid(
            "'MemorySize' value failed to satisfy constraint: Member must have value less than or"
            f" equal to {_MOST_MEMORY_MB}"
        )


def _check_dead_letters(arn: str) -> None:
    """The target of dead letters; which words AWS refuses it with is not recorded anywhere."""
    if not arn:
        return
    if arn.split(":")[2:3] not in [[service] for service in _LETTERS]:
        raise _invalid(f"Invalid dead letter ARN: {arn} is neither an SQS queue nor an SNS topic.")
    if arn.endswith(".fifo"):
        raise _invalid(
            f"Invalid dead letter ARN: {arn} is FIFO; dead letters need a standard queue or topic."
        )


def _invalid(message: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(message, Type="User")


def _handle(chain: Any, context: Any, response: Any) -> None:
    """Request handler."""
    del chain, response
    if context.service is None or context.service.service_name != "lambda":
        return
    if context.operation is not None and context.operation.input_shape is not None:
        check(context.operation, context.service_request or {})


def install() -> None:
    """Put the handler in place. Idempotent."""
    if _handle not in serve_custom_service_request_handlers.handlers:
        serve_custom_service_request_handlers.append(_handle)

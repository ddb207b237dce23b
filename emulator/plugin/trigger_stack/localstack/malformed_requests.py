"""A request that cannot be read is the caller's mistake, not an internal error.

What: ``ServiceRequestParser.parse_and_enrich`` reads requests from outside with parsers that take
no other type and no other document than the model names, ``ServiceRequestParser.__call__`` answers
what cannot be read, and ``ServiceExceptionSerializer.create_exception_response`` says what AWS's
model forbids of a request that made an internal error, or that an ARN is none.
Why: LocalStack answers 500 ``InternalError``, which clients try again, where AWS answers 400. It
takes a number for a text, and any text for base64: the data of a record is then other bytes. It
takes any document, and none, for the notification configuration of a bucket, which is then empty.
Until: LocalStack's parser answers as AWS does.
Test: ``tests/unit/plugin/test_request_parsers_patch.py``,
``tests/engine/test_malformed_requests.py``.

AWS topics: Smithy, "AWS JSON 1.0 protocol" and "AWS JSON 1.1 protocol" (the namespace of an error
is in 1.0's ``__type`` only); Amazon S3 API Reference, "Error responses" (``MalformedXML``,
``MethodNotAllowed``, ``MissingRequestBodyError``); "Common errors" of the services with a query API
(``InvalidAction``, ``MissingAction``); Lambda API Reference, "Invoke"
(``InvalidRequestContentException``). The sentences about types are those that Athena, DynamoDB, SES
and SQS were seen to answer; a body that is no JSON, an empty one and ``null`` get no sentence.
Kinesis was seen to refuse what is no base64. Internal requests are read as before: CloudFormation
writes numbers as text.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from typing import Any, Final

from botocore.model import OperationNotFoundError
from botocore.utils import InvalidArnException
from localstack.aws.api import CommonServiceException, ServiceException
from localstack.aws.handlers import service as handlers
from localstack.aws.handlers.service import ServiceExceptionSerializer, ServiceRequestParser
from localstack.aws.protocol.parser import (
    BaseJSONRequestParser,
    OperationNotFoundParserError,
    ProtocolParserError,
    RequestParserError,
    S3RequestParser,
)
from localstack.aws.protocol.serializer import create_serializer
from localstack.http import Response

from trigger_stack.services.constraints import violations

_UNKNOWN: Final = "UnknownOperationException"
_UNREADABLE: Final = "SerializationException"
_NOT_WELL_FORMED: Final = (
    "The XML you provided was not well-formed or did not validate against our published schema"
)
_WITHOUT_DOCUMENT: Final = ("DELETE", "GET", "HEAD")
_TRUE: Final = frozenset(("true", "yes", "y", "t", "1"))
_FALSE: Final = frozenset(("false", "no", "n", "f", "0"))
_NO_BASE64: Final = re.compile(r"[^A-Za-z0-9+/=]|=[^=]")
_IS_NULL: Final = "Member must not be null"
_ABSENT: Final = re.compile(r"Value null at '(\w+)' failed")
#: Services with another code than ``ValidationException`` for what breaks the model.
_INVALID: Final = {
    "apigateway": "BadRequestException",
    "cloudfront": "InvalidArgument",
    "cognito-idp": "InvalidParameterException",
    "ecr": "InvalidParameterException",
    "logs": "InvalidParameterException",
    "sesv2": "BadRequestException",
}


class WrongTypeError(ProtocolParserError):
    """A member of the body has another type than the model names; the text is AWS's."""


class EmptyBodyError(ProtocolParserError):
    """A request of S3 has no document, and needs one."""


# -- types -----------------------------------------------------------------------------------


def _mismatch(value: Any, wanted: str) -> WrongTypeError:
    if isinstance(value, list):
        return WrongTypeError("Start of list found where not expected")
    if isinstance(value, dict):
        return WrongTypeError("Start of structure or map found where not expected.")
    if isinstance(value, bool):
        given = "TRUE_VALUE" if value else "FALSE_VALUE"
    else:
        given = "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"
    return WrongTypeError(f"{given} can not be converted to {wanted}")


def _is_elsewhere(shape: Any) -> bool:
    """Whether a member is in the path, the query or a header, where everything is text."""
    return "location" in shape.serialization


class StrictTypes:
    """What LocalStack's parser of JSON bodies does not check."""

    def _parse_structure(self, request: Any, shape: Any, value: Any, uri_params: Any = None) -> Any:
        if not isinstance(value, dict | None) and not shape.is_document_type:
            raise (
                _mismatch(value, "") if isinstance(value, list) else WrongTypeError("Expected null")
            )
        return super()._parse_structure(request, shape, value, uri_params)  # type: ignore[misc]  # of the parser

    def _parse_map(self, request: Any, shape: Any, value: Any, uri_params: Any = None) -> Any:
        if not isinstance(value, dict | None):
            raise (
                _mismatch(value, "")
                if isinstance(value, list)
                else WrongTypeError("Expected map or null")
            )
        return super()._parse_map(request, shape, value, uri_params)  # type: ignore[misc]  # of the parser

    def _parse_list(self, request: Any, shape: Any, node: Any, uri_params: Any = None) -> Any:
        if not isinstance(node, list | None) and not _is_elsewhere(shape):
            raise (
                _mismatch(node, "")
                if isinstance(node, dict)
                else WrongTypeError("Expected list or null")
            )
        return super()._parse_list(request, shape, node, uri_params)  # type: ignore[misc]  # of the parser

    def _parse_string(self, request: Any, shape: Any, node: Any, uri_params: Any = None) -> Any:
        del request, uri_params
        if not isinstance(node, str) and not _is_elsewhere(shape):
            raise _mismatch(node, "a String")
        return node

    _parse_character = _parse_string

    def _parse_integer(self, request: Any, shape: Any, node: Any, uri_params: Any = None) -> int:
        return self._whole(request, shape, node, "an Integer")

    def _parse_long(self, request: Any, shape: Any, node: Any, uri_params: Any = None) -> int:
        return self._whole(request, shape, node, "a Long")

    def _whole(self, request: Any, shape: Any, node: Any, wanted: str) -> int:
        del request
        if not _is_elsewhere(shape) and (
            isinstance(node, bool) or not isinstance(node, int | float)
        ):
            raise _mismatch(node, wanted)
        return int(node)

    def _parse_boolean(self, request: Any, shape: Any, node: Any, uri_params: Any = None) -> bool:
        del request, uri_params
        if isinstance(node, bool):
            return node
        if not isinstance(node, str):
            raise _mismatch(node, "a Boolean")
        if node.lower() in _TRUE:
            return True
        if node.lower() in _FALSE:
            return False
        raise _mismatch(node, "an Boolean")  # as AWS writes it

    def _parse_blob(self, request: Any, shape: Any, node: Any, uri_params: Any = None) -> bytes:
        if _is_elsewhere(shape) or isinstance(node, bytes):
            return super()._parse_blob(request, shape, node, uri_params)  # type: ignore[misc, no-any-return]  # of the parser
        if not isinstance(node, str):
            raise _mismatch(node, "a Blob")
        return _bytes(node)


class StrictDocuments:
    """What LocalStack's parser of S3's XML documents does not check."""

    def _parse_payload(
        self, request: Any, shape: Any, member_shapes: Any, uri_params: Any, final_parsed: Any
    ) -> None:
        name = shape.serialization.get("payload")
        if name and member_shapes[name].type_name == "structure":
            wanted = member_shapes[name].serialization.get("name", name)
            self._check_root(request.data, wanted, required=name in shape.required_members)
        super()._parse_payload(request, shape, member_shapes, uri_params, final_parsed)  # type: ignore[misc]  # of the parser

    def _check_root(self, document: bytes, wanted: str, *, required: bool) -> None:
        parser: Any = self
        if not document:
            if required:
                raise EmptyBodyError
            return
        root = parser._node_tag(parser._parse_xml_string_to_dom(document))
        if root != wanted:
            raise ProtocolParserError(f"The document is a {root}, not a {wanted}.")


def _bytes(text: str) -> bytes:
    start = f"'{text}' can not be converted to a Blob: "
    if len(text) % 4:
        why = f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(text)}"
        raise WrongTypeError(start + why)
    if found := _NO_BASE64.search(text):
        raise WrongTypeError(f"{start}Invalid Base64 character: '{found[0][0]}'")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise WrongTypeError(f"{start}Invalid last non-pad Base64 character dectected") from None


@functools.cache
def _strict_kind(kind: type) -> type:
    checks = StrictDocuments if issubclass(kind, S3RequestParser) else StrictTypes
    return type(f"Strict{kind.__name__}", (checks, kind), {})


@functools.cache
def strict(service: Any, protocol: str | None) -> Any:
    """LocalStack's parser of a service, with checks of JSON bodies and of S3's documents."""
    parser = handlers.create_parser(service, protocol)
    if not isinstance(parser, BaseJSONRequestParser | S3RequestParser):
        return parser
    made: Any = object.__new__(_strict_kind(type(parser)))
    made.__dict__.update(parser.__dict__)
    return made


def _parse(parser: Any, context: Any) -> None:
    """``ServiceRequestParser.parse_and_enrich``."""
    del parser
    request, json_body = context.request, context.protocol == "json"
    if json_body and not context.is_internal_call and not request.data:
        context.operation = _named(context)
        raise ProtocolParserError("The body is empty.")
    read = handlers.create_parser if context.is_internal_call else strict
    operation, instance = read(context.service, context.protocol).parse(request)
    context.operation = operation
    if json_body and instance is None:
        raise ProtocolParserError("The body is null.")
    context.service_request = instance


def _named(context: Any) -> Any:
    name = (context.request.headers.get("X-Amz-Target") or "").rpartition(".")[2]
    try:
        return context.service.operation_model(name)
    except OperationNotFoundError as error:
        raise OperationNotFoundParserError(name) from error


# -- answers ---------------------------------------------------------------------------------


def answer(context: Any, error: RequestParserError) -> Response:
    """What the caller gets whose request could not be read."""
    if context.protocol == "json" and not _is_cbor(context):
        return _of_json(context, error)
    refusal = _refusal(context, error)
    context.service_exception = refusal
    service = context.service
    # The serializer asks the operation for its service only.
    operation = context.operation or service.operation_model(service.operation_names[0])
    serializer = create_serializer(service, context.protocol)
    response: Response = serializer.serialize_error_to_response(
        refusal, operation, context.request.headers, context.request_id
    )
    return response


def _is_cbor(context: Any) -> bool:
    return "cbor" in (context.request.headers.get("Content-Type") or "")


def _is_unknown(error: RequestParserError) -> bool:
    return isinstance(error, OperationNotFoundParserError) or isinstance(
        error.__cause__, OperationNotFoundError | KeyError
    )


def _of_json(context: Any, error: RequestParserError) -> Response:
    service, sent = context.service, context.request.headers.get("Content-Type") or ""
    version = "1.0" if "json-1.0" in sent else service.metadata.get("jsonVersion", "1.1")
    code = _UNKNOWN if _is_unknown(error) else _UNREADABLE
    body = {"__type": f"com.amazon.coral.service#{code}" if version == "1.0" else code}
    if isinstance(error, WrongTypeError):
        body["Message"] = _worded(str(error), service.service_name)
    context.service_exception = CommonServiceException(code, body.get("Message", ""), 400, True)
    response = Response(json.dumps(body), 400, content_type=f"application/x-amz-json-{version}")
    response.headers["x-amzn-RequestId"] = context.request_id
    if service.is_query_compatible:
        in_query = "InvalidAction" if code == _UNKNOWN else "MalformedInput"
        response.headers["x-amzn-query-error"] = f"{in_query};Sender"
    return response


def _worded(message: str, service: str) -> str:
    """A sentence as a service writes it: DynamoDB was seen to use other words than the others."""
    if service != "dynamodb":
        return message
    return re.sub(r"can not be converted to an? ", "cannot be converted to ", message).rstrip(".")


def _refusal(context: Any, error: RequestParserError) -> CommonServiceException:
    refuse = {"query": _of_query, "ec2": _of_query, "rest-xml": _of_xml}.get(context.protocol)
    code, message, status = (refuse or _of_rest_json)(context, error)
    return CommonServiceException(code, message, status, sender_fault=True)


def _of_query(context: Any, error: RequestParserError) -> tuple[str, str, int]:
    values = context.request.values
    if not values.get("Action"):
        message = "The request is missing an action or a required parameter."
        return "MissingAction", message, 400
    if _is_unknown(error):
        asked, version = values["Action"], values.get("Version", "")
        return "InvalidAction", f"Could not find operation {asked} for version {version}", 400
    return "MalformedInput", str(error), 400


def _of_xml(context: Any, error: RequestParserError) -> tuple[str, str, int]:
    if _is_unknown(error) and context.service.service_name == "s3":
        message = "The specified method is not allowed against this resource."
        return "MethodNotAllowed", message, 405
    if _is_unknown(error):
        return _UNKNOWN, "", 404
    if isinstance(error, EmptyBodyError):
        return "MissingRequestBodyError", "Request Body is empty", 400
    if context.request.method in _WITHOUT_DOCUMENT:
        return "InvalidArgument", str(error), 400
    return "MalformedXML", _NOT_WELL_FORMED, 400


def _of_rest_json(context: Any, error: RequestParserError) -> tuple[str, str, int]:
    if _is_unknown(error):
        return _UNKNOWN, "", 404
    if isinstance(error, WrongTypeError):
        return _UNREADABLE, str(error), 400
    if context.service.service_name == "lambda":
        why = f"Could not parse request body into json: {error}"
        return "InvalidRequestContentException", why, 400
    return _UNREADABLE, "", 400


# -- requests that break the model -----------------------------------------------------------


def broken(context: Any) -> CommonServiceException | None:
    """Why a request that made an internal error is the caller's mistake; None when it is not."""
    operation, request = context.operation, context.service_request
    if operation is None or operation.input_shape is None or not isinstance(request, dict):
        return None
    problem, name = violations(operation.input_shape, request), context.service.service_name
    if problem is None:
        return None
    if name == "s3":
        if not problem.endswith(_IS_NULL):
            return None
        return CommonServiceException("MalformedXML", _NOT_WELL_FORMED, 400, sender_fault=True)
    return _invalid(context, problem)


def no_arn(context: Any) -> CommonServiceException:
    """What a caller gets whose ARN LocalStack could not take apart."""
    return _invalid(context, "Provided Arn is not in correct format.")


def _invalid(context: Any, problem: str) -> CommonServiceException:
    if context.service.service_name == "sqs":
        return _of_queues(problem)
    code = _INVALID.get(context.service.service_name, "ValidationException")
    if context.protocol in ("query", "ec2"):
        code = "ValidationError"
    return CommonServiceException(code, problem, 400, sender_fault=True)


def _of_queues(problem: str) -> CommonServiceException:
    """As SQS says it, which has other words for a parameter that is not there."""
    from localstack.services.sqs.exceptions import (
        InvalidParameterValueException,
        MissingRequiredParameterException,
    )

    if found := _ABSENT.search(problem):
        name = found[1][:1].upper() + found[1][1:]
        message = f"The request must contain the parameter {name}."
        missing: CommonServiceException = MissingRequiredParameterException(message)
        return missing
    invalid: CommonServiceException = InvalidParameterValueException(problem)
    return invalid


def _is_internal(exception: Exception) -> bool:
    """Whether LocalStack would answer 500 with it."""
    from moto.core.exceptions import RESTError
    from moto.core.exceptions import ServiceException as MotoError

    return not isinstance(exception, ServiceException | NotImplementedError | RESTError | MotoError)


def install() -> None:
    """Patch LocalStack. Idempotent."""
    call, respond = (
        ServiceRequestParser.__call__,
        ServiceExceptionSerializer.create_exception_response,
    )
    if hasattr(call, "__wrapped__"):
        return

    @functools.wraps(call)
    def parse_or_answer(parser: Any, chain: Any, context: Any, response: Any) -> None:
        try:
            call(parser, chain, context, response)
        except RequestParserError as error:
            if context.is_internal_call:
                raise
            response.update_from(answer(context, error))
            chain.stop()

    @functools.wraps(respond)
    def respond_to_caller(serializer: Any, exception: Exception, context: Any) -> Any:
        if isinstance(exception, InvalidArnException):
            exception = broken(context) or no_arn(context)
        elif _is_internal(exception):
            exception = broken(context) or exception
        return respond(serializer, exception, context)

    ServiceRequestParser.parse_and_enrich = _parse  # type: ignore[method-assign, assignment]  # the patch
    ServiceRequestParser.__call__ = parse_or_answer  # type: ignore[method-assign, assignment]  # the patch
    ServiceExceptionSerializer.create_exception_response = respond_to_caller  # type: ignore[method-assign, assignment]  # the patch

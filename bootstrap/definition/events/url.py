"""``url``: a function URL (Serverless guide, "Lambda Function URLs"; AWS Lambda, same topic)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, override

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import EventType, Example, Trigger
from bootstrap.definition.parsing import Model
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

#: What the framework allows where ``cors`` does not say it.
_HEADERS = [
    "Content-Type",
    "X-Amz-Date",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Amzn-Trace-Id",
]


class UrlCors(Model):
    """``url.cors``; ``maxAge`` is in seconds, and ``null`` leaves a list out."""

    allowCredentials: bool | None = None
    allowedHeaders: list[str] | None = _HEADERS
    allowedMethods: list[str] | None = ["*"]
    allowedOrigins: list[str] | None = ["*"]
    exposedResponseHeaders: list[str] | None = None
    maxAge: int | None = None


class UrlEvent(Model):
    """``url`` of a function."""

    authorizer: Literal["aws_iam"] | None = None
    cors: bool | UrlCors = False
    invokeMode: Literal["BUFFERED", "RESPONSE_STREAM"] | None = None


class Url(EventType[UrlEvent]):
    """A URL of the function's own invokes it, and its result is the answer."""

    key = "url"
    beside_events: ClassVar[bool] = True
    model = UrlEvent
    failures = ()  # whoever sent the request gets the error

    def long_form(self, body: Any) -> Any:
        """``url: true``."""
        return {} if body is True else body

    def check(self, trigger: Trigger[UrlEvent], service: Service, document: Document) -> None:
        """Nothing beyond the shape."""

    def permissions(
        self, triggers: Sequence[Trigger[UrlEvent]], service: Service
    ) -> Iterator[Resource]:
        """Everybody may call a URL without an authorizer; AWS asks for both statements."""
        conditions: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("Url", "lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
            ("", "lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
        )
        for trigger in triggers:
            if trigger.event.authorizer is not None:
                continue
            for ending, action, condition in conditions:
                properties = {
                    "FunctionName": trigger.function_arn,
                    "Action": action,
                    "Principal": "*",
                    **condition,
                }
                name = f"{naming.normalized(trigger.key)}LambdaPermissionFn{ending}"
                yield Resource(name, "AWS::Lambda::Permission", properties, trigger.path)

    def role_statements(self, triggers: Sequence[Trigger[UrlEvent]]) -> Iterator[dict[str, Any]]:
        """None: Lambda itself answers."""
        yield from ()

    @override
    def resources(
        self, triggers: Sequence[Trigger[UrlEvent]], service: Service, document: Document
    ) -> Iterator[Resource]:
        for trigger in triggers:
            event = trigger.event
            properties: dict[str, Any] = {
                "AuthType": "AWS_IAM" if event.authorizer else "NONE",
                "TargetFunctionArn": trigger.function_arn,
            }
            if event.cors:
                properties["Cors"] = _cors(UrlCors() if event.cors is True else event.cors)
            if event.invokeMode == "RESPONSE_STREAM":
                properties["InvokeMode"] = event.invokeMode
            name = f"{naming.normalized(trigger.key)}LambdaFunctionUrl"
            yield Resource(name, "AWS::Lambda::Url", properties, trigger.path)

    @override
    def example(self, trigger: Trigger[UrlEvent], service: Service, settings: Settings) -> Example:
        url = f"{settings.http_api_url}/_function-url/{trigger.function}/"
        signed = ""
        if trigger.event.authorizer:
            region = service.provider.region
            signed = f"--aws-sigv4 aws:amz:{region}:lambda --user test:test "
        return Example("Function URL", f"curl {signed}{url}")


def _cors(cors: UrlCors) -> dict[str, Any]:
    """The ``Cors`` of ``AWS::Lambda::Url``."""
    properties = {
        "AllowCredentials": cors.allowCredentials,
        "AllowHeaders": cors.allowedHeaders,
        "AllowMethods": cors.allowedMethods,
        "AllowOrigins": cors.allowedOrigins,
        "ExposeHeaders": cors.exposedResponseHeaders,
        "MaxAge": cors.maxAge,
    }
    return {key: value for key, value in properties.items() if value is not None}

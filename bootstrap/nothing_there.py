"""A context for an account in which nothing was ever made: what is not there is not asked for.

A resource type first asks AWS for what it is to make. In an empty account that is a third of all
calls, and every answer is known: there is none. Once the resource has written something, AWS is
asked as ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bootstrap.services.base import Context

_GONE: Final = "ResourceNotFoundException"
_READS: Final = ("describe_", "get_", "head_", "list_", "can_paginate", "exceptions", "meta")
#: The question with which a type begins, and AWS's error code when there is nothing; without one,
#: the answer is an empty list. Only questions about the resource itself, not what it belongs to.
QUESTIONS: Final[dict[str, tuple[str, str]]] = {
    "AWS::ApiGatewayV2::Authorizer": ("get_authorizers", ""),
    "AWS::ApiGatewayV2::Integration": ("get_integrations", ""),
    "AWS::ApiGatewayV2::Route": ("get_routes", ""),
    "AWS::DynamoDB::Table": ("describe_table", _GONE),
    "AWS::Events::Rule": ("describe_rule", _GONE),
    "AWS::IAM::Role": ("get_role", "NoSuchEntity"),
    "AWS::Kinesis::Stream": ("describe_stream_summary", _GONE),
    "AWS::Lambda::EventInvokeConfig": ("get_function_event_invoke_config", _GONE),
    "AWS::Lambda::EventSourceMapping": ("list_event_source_mappings", ""),
    "AWS::Lambda::Function": ("get_function", _GONE),
    "AWS::Lambda::LayerVersion": ("list_layer_versions", ""),
    "AWS::Lambda::Permission": ("get_policy", _GONE),
    "AWS::Logs::LogGroup": ("describe_log_groups", ""),
    "AWS::Logs::SubscriptionFilter": ("describe_subscription_filters", ""),
    "AWS::Pipes::Pipe": ("describe_pipe", "NotFoundException"),
    "AWS::SQS::Queue": ("get_queue_url", "AWS.SimpleQueueService.NonExistentQueue"),
    "AWS::SQS::QueuePolicy": ("get_queue_attributes", ""),
}


@dataclass
class NothingThere(Context):
    """A context to make one resource with."""

    _question: tuple[str, str] = ("", "")
    _wrote: bool = False

    @classmethod
    def like(cls, context: Context, kind: str) -> Context:
        """One that shares everything with ``context``, for a resource of the type ``kind``."""
        if kind not in QUESTIONS:
            return context
        made = cls(context.settings, context.service, context.run, context.packages)
        made.__dict__["original"] = context
        made.__dict__["account"] = context.account
        made._question = QUESTIONS[kind]
        return made

    def client(self, name: str) -> Any:
        """A client that answers the type's question itself."""
        return _Client(self.__dict__["original"].client(name), self)

    def answers(self, operation: str) -> bool:
        """Whether a question needs no asking; anything that is no question is noted."""
        if not operation.startswith(_READS):
            self._wrote = True
        return operation == self._question[0] and not self._wrote

    def answer(self, client: Any, operation: str) -> dict[str, Any]:
        """What AWS would answer.

        Raises:
            ClientError: AWS would say that there is none.
        """
        from botocore.exceptions import ClientError

        name = client.meta.method_to_api_mapping[operation]
        if code := self._question[1]:
            raise ClientError({"Error": {"Code": code, "Message": "There is none."}}, name)
        members = client.meta.service_model.operation_model(name).output_shape.members
        empty: dict[str, Any] = {"list": [], "map": {}}
        return {
            key: empty[shape.type_name]
            for key, shape in members.items()
            if shape.type_name in empty
        }


class _Client:
    """A boto3 client that is not asked for what is not there."""

    def __init__(self, client: Any, context: NothingThere) -> None:
        self._client = client
        self._context = context

    def __getattr__(self, name: str) -> Any:
        if self._context.answers(name):
            return lambda **_: self._context.answer(self._client, name)
        return getattr(self._client, name)

"""A pool with users, functions that run in this process, and a post office: no emulator."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trigger_stack.services.cognito.errors import not_found
from trigger_stack.services.cognito.service import UserPools
from trigger_stack.services.cognito.triggers import InvocationError, Reply
from trigger_stack.services.operations import Caller, operations

CALLER = Caller("000000000000", "us-east-1")
ARN = "arn:aws:lambda:us-east-1:000000000000:function:trigger"
PASSWORD = "Correct-Horse-1"


@dataclass
class Attribute:
    required: bool = False
    mutable: bool = True
    data_type: str = "String"
    string_constraints: Mapping[str, str] | None = None


@dataclass(eq=False)
class FakeGroup:
    group_name: str
    precedence: int | None = None
    role_arn: str | None = None


@dataclass(eq=False)
class FakeUser:
    username: str
    status: Any
    attribute_lookup: dict[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    password: Any = None
    enabled: bool = True
    groups: set[Any] = field(default_factory=set)

    def update_attributes(self, new_attributes: list[dict[str, Any]]) -> None:
        self.attribute_lookup |= {one["Name"]: one["Value"] for one in new_attributes}


@dataclass
class FakeClient:
    id: str = "client"
    secret: str = "client-secret"
    generate_secret: bool = False
    extended_config: dict[str, Any] = field(
        default_factory=lambda: {
            "ExplicitAuthFlows": [
                "ALLOW_USER_PASSWORD_AUTH",
                "ALLOW_USER_SRP_AUTH",
                "ALLOW_CUSTOM_AUTH",
                "ALLOW_REFRESH_TOKEN_AUTH",
                "ALLOW_ADMIN_USER_PASSWORD_AUTH",
            ]
        }
    )


@dataclass
class FakePool:
    id: str = "us-east-1_Abc123"
    account_id: str = "000000000000"
    region: str = "us-east-1"
    name: str = "pool"
    extended_config: dict[str, Any] = field(
        default_factory=lambda: {
            "AutoVerifiedAttributes": ["email"],
            "Policies": {
                "PasswordPolicy": {
                    "MinimumLength": 8,
                    "RequireUppercase": True,
                    "RequireLowercase": True,
                    "RequireNumbers": True,
                    "RequireSymbols": True,
                }
            },
        }
    )
    users: dict[str, Any] = field(default_factory=dict)
    clients: dict[str, Any] = field(default_factory=lambda: {"client": FakeClient()})
    groups: dict[str, Any] = field(default_factory=dict)
    schema_attributes: dict[str, Any] = field(
        default_factory=lambda: {
            "email": Attribute(),
            "phone_number": Attribute(),
            "custom:tier": Attribute(string_constraints={"MaxLength": "3"}),
        }
    )

    @property
    def arn(self) -> str:
        return f"arn:aws:cognito-idp:{self.region}:{self.account_id}:userpool/{self.id}"


class FakeDirectory:
    def __init__(self, pool: FakePool) -> None:
        self._pool = pool
        self._lock = threading.RLock()

    def pool(self, account_id: str, region: str, pool_id: str) -> Any:
        if pool_id != self._pool.id:
            raise not_found(f"User pool {pool_id} does not exist.")
        return self._pool

    def pool_of_client(self, client_id: str) -> tuple[Any, Any]:
        if client_id not in self._pool.clients:
            raise not_found(f"User pool client {client_id} does not exist.")
        return self._pool, self._pool.clients[client_id]

    def pools(self) -> list[Any]:
        return [self._pool]

    def new_user(
        self, pool: Any, username: str | None, status: str, attributes: Mapping[str, str]
    ) -> Any:
        user = FakeUser("", status, dict(attributes))
        user.username = username or user.id
        user.attribute_lookup["sub"] = user.id
        return user

    def lock(self) -> Any:
        return self._lock


class FakeFunctions:
    """Functions by trigger; each gets the event and may change or replace it."""

    def __init__(self) -> None:
        self.triggers: dict[str, Callable[[dict[str, Any]], Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.recorded: list[str] = []
        self.fail_with: list[InvocationError] = []

    def invoke(
        self, function_arn: str, event: bytes, recorded: bytes, pool_arn: str, timeout_s: float
    ) -> Reply:
        assert timeout_s == 5
        if self.fail_with:
            raise self.fail_with.pop(0)
        document = json.loads(event)
        self.events.append(json.loads(event))
        self.recorded.append(recorded.decode())
        trigger = document["triggerSource"].split("_")[0].replace("Token", "PreToken")
        try:
            answer = self.triggers[trigger](document)
        except Exception as error:
            problem = {"errorMessage": str(error), "errorType": type(error).__name__}
            return Reply(True, json.dumps(problem).encode())
        if isinstance(answer, bytes):
            return Reply(False, answer)
        return Reply(False, json.dumps(document if answer is None else answer).encode())

    def sources(self) -> list[str]:
        return [event["triggerSource"] for event in self.events]


class FakePost:
    def __init__(self) -> None:
        self.mails: list[tuple[str, str, str]] = []
        self.texts: list[tuple[str, str]] = []

    def mail(self, pool: Any, address: str, subject: str, body: str) -> None:
        self.mails.append((address, subject, body))

    def sms(self, pool: Any, number: str, body: str) -> None:
        self.texts.append((number, body))

    @property
    def code(self) -> str:
        """The code of the last mail."""
        return "".join(c for c in self.mails[-1][2] if c.isdigit())


class Stack:
    """A pool and its operations, by their names on AWS."""

    def __init__(self) -> None:
        self.pool = FakePool()
        self.client = self.pool.clients["client"]
        self.functions = FakeFunctions()
        self.post = FakePost()
        self.time = 1_800_000_000.0
        self.service = UserPools(
            FakeDirectory(self.pool), self.functions, self.post, lambda: self.time
        )
        self.operations = {
            name: method for part in self.service.parts for name, method in operations(part).items()
        }

    def __call__(self, name: str, **request: Any) -> dict[str, Any]:
        if name.startswith("Admin"):
            request.setdefault("UserPoolId", self.pool.id)
        elif "AccessToken" not in request:
            request.setdefault("ClientId", "client")
        return self.operations[name](CALLER, request) or {}

    def trigger(self, name: str, function: Callable[[dict[str, Any]], Any]) -> None:
        """Give the pool a trigger."""
        self.functions.triggers[name] = function
        self.pool.extended_config.setdefault("LambdaConfig", {})[name] = ARN

    def user(self, name: str = "ann", **attributes: str) -> FakeUser:
        """A confirmed user with the usual password."""
        given = {"email": f"{name}@example.com", "email_verified": "true"} | attributes
        user = FakeUser(name, "CONFIRMED", given)
        user.attribute_lookup["sub"] = user.id
        self.service.core.set_password(self.pool, user, PASSWORD)
        self.pool.users[name] = user
        return user

    def sign_in(self, name: str = "ann", password: str = PASSWORD, **more: Any) -> dict[str, Any]:
        """By name and password."""
        parameters = {"USERNAME": name, "PASSWORD": password}
        return self(
            "InitiateAuth", AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters, **more
        )

"""Makes REST APIs for tests."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.engine.lambda_stack import Stack

ECHO = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event)}
"""
ACCOUNT = "000000000000"


@dataclass
class Api:
    """One REST API.

    Attributes:
        api_id: Its id.
        name: Its name.
        resources: Resource ids by path.
    """

    stack: Stack
    api_id: str
    name: str
    client: Any
    resources: dict[str, str] = field(default_factory=dict)

    def resource(self, path: str) -> str:
        """The id of a resource; it and its parents are made when they are not there."""
        if path not in self.resources:
            parent, _, part = path.rpartition("/")
            made = self.client.create_resource(
                restApiId=self.api_id, parentId=self.resource(parent or "/"), pathPart=part
            )
            self.resources[path] = made["id"]
        return self.resources[path]

    def method(self, method: str, path: str, uri: str | None = None, **settings: Any) -> None:
        """Put a method with a Lambda proxy integration, or without any.

        Args:
            uri: Name of the function.
            settings: Of ``PutMethod``; those of the integration under ``integration``.
        """
        integration = settings.pop("integration", {})
        place = {"restApiId": self.api_id, "resourceId": self.resource(path), "httpMethod": method}
        self.client.put_method(**place, **{"authorizationType": "NONE", **settings})
        if uri is not None:
            proxy = {
                "type": "AWS_PROXY",
                "integrationHttpMethod": "POST",
                "uri": invocation_uri(uri),
            }
            self.client.put_integration(**place, **{**proxy, **integration})
        elif integration:
            self.client.put_integration(**place, **integration)

    def let_call(self, function: str) -> None:
        """Let the API invoke a function."""
        self.stack.client("lambda").add_permission(
            FunctionName=function,
            StatementId=secrets.token_hex(4),
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{self.api_id}/*",
        )

    def deploy(self, stage: str = "live", **settings: Any) -> str:
        """Deploy to a stage; the deployment's id."""
        made = self.client.create_deployment(restApiId=self.api_id, stageName=stage, **settings)
        return str(made["id"])

    def url(self, path: str, stage: str = "live") -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.stack.port}/_rest-api/{self.api_id}/{stage}{path}"

    def call(self, method: str, path: str, stage: str = "live", **more: Any) -> requests.Response:
        """Send a request."""
        return requests.request(method, self.url(path, stage), timeout=30, **more)


def invocation_uri(function: str) -> str:
    """What an integration calls a function."""
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}"
    return f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"


def make_api(stack: Stack, **settings: Any) -> Api:
    """An API without methods."""
    client = stack.client("apigateway")
    name = f"api-{secrets.token_hex(4)}"
    made = client.create_rest_api(name=name, **settings)
    api = Api(stack, made["id"], name, client)
    api.resources["/"] = made["rootResourceId"]
    return api


def echo_api(stack: Stack, *routes: str, code: str = ECHO, **settings: Any) -> Api:
    """A deployed API whose routes (``GET /a/{b}``) all lead to one function."""
    api = make_api(stack, **settings)
    function = stack.create(code)
    for route in routes or ("ANY /", "ANY /{proxy+}"):
        method, path = route.split(" ")
        api.method(method, path, function)
    api.let_call(function)
    api.deploy()
    return api


def policy(effect: str, resource: str, **more: Any) -> dict[str, Any]:
    """An authorizer's answer."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "someone", "policyDocument": document, **more}


def authorizer_code(answer: Any) -> str:
    """A function that answers as an authorizer, or raises ``Unauthorized`` for the token 401."""
    return f"""
import json
ANSWER = json.loads({json.dumps(json.dumps(answer))})
seen = []
def handler(event, context):
    seen.append(event)
    token = event.get("authorizationToken") or event["headers"].get("X-Token")
    if token == "401":
        raise Exception("Unauthorized")
    if token == "500":
        raise Exception("broken")
    answer = dict(ANSWER)
    context = answer.get("context") or {{}}
    answer["context"] = dict(context, calls=len(seen), asked=json.dumps(event))
    return answer
"""

"""The front doors of one emulator, each in front of a function of its own."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.engine.lambda_stack import Stack, start_stack
from tests.engine.rest_apis import make_api
from tests.engine.test_function_url import let_everybody
from tests.engine.test_load_balancer import function_arn, make_balancer, make_group

HTTP_API, REST_API, FUNCTION_URL, LOAD_BALANCER = (
    "HTTP API",
    "REST API",
    "function URL",
    "load balancer",
)
DOORS = [HTTP_API, REST_API, FUNCTION_URL, LOAD_BALANCER]
#: In front of a function URL; what goes through it comes out changed.
CLOUDFRONT = "CloudFront"
SERVICES = "apigateway,apigatewayv2,cloudfront,ec2,elbv2,lambda,logs,iam,sts,cloudwatch"


@dataclass(frozen=True)
class Door:
    """One front door.

    Attributes:
        kind: One of ``DOORS``.
        port: Where the engine serves it.
        prefix: What comes before a path, such as ``/_function-url/name``.
        function: Name of the function behind it.
        resource: Id of the API, or ARN of the target group.
    """

    stack: Stack
    kind: str
    port: int
    prefix: str
    function: str
    resource: str = ""

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request; redirects are not followed."""
        options = {"timeout": 30, "allow_redirects": False, **options}
        return requests.request(method, f"{self.url}{path}", **options)

    def connect(self, timeout: float = 20) -> socket.socket:
        """A connection to its port."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)


@contextmanager
def stack_with_doors(
    folder: Path, launcher: Sequence[str] = (), **settings: str
) -> Iterator[Stack]:
    """An emulator for all four doors; its log must stay free of tracebacks."""
    stack = start_stack(folder, launcher, SERVICES=SERVICES, **settings)
    try:
        yield stack
        assert "Traceback (most recent call last)" not in stack.log, stack.log
    finally:
        stack.stop()


def open_door(
    stack: Stack, kind: str, code: str | dict[str, str | bytes], *, lasts_ms: int = 0, **config: Any
) -> Door:
    """Create a function, and a front door that leads all requests to it.

    Args:
        stack: The emulator.
        kind: One of ``DOORS``.
        code: As for ``Stack.create``.
        lasts_ms: Time-out of the API's integration in milliseconds; 0: the API's default.
        config: Of the function.
    """
    port = stack.http_port
    match kind:
        case "HTTP API":
            name = stack.create(code, **config)
            client = stack.client("apigatewayv2")
            api = client.create_api(Name=f"api-{secrets.token_hex(4)}", ProtocolType="HTTP")[
                "ApiId"
            ]
            client.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
            integration = client.create_integration(
                ApiId=api,
                IntegrationType="AWS_PROXY",
                IntegrationUri=function_arn(name),
                PayloadFormatVersion="2.0",
                **({"TimeoutInMillis": lasts_ms} if lasts_ms else {}),
            )["IntegrationId"]
            client.create_route(
                ApiId=api, RouteKey="$default", Target=f"integrations/{integration}"
            )
            stack.client("lambda").add_permission(
                FunctionName=name,
                StatementId="api",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
                SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api}/*",
            )
            return Door(stack, kind, port, f"/_aws/execute-api/{api}", name, api)
        case "REST API":
            name = stack.create(code, **config)
            rest = make_api(stack, binaryMediaTypes=["*/*"])
            integration = {"timeoutInMillis": lasts_ms} if lasts_ms else {}
            for path in ("/", "/{proxy+}"):
                rest.method("ANY", path, name, integration=integration)
            rest.let_call(name)
            rest.deploy()
            return Door(stack, kind, port, f"/_rest-api/{rest.api_id}/live", name, rest.api_id)
        case "function URL":
            name = stack.create(code, **config)
            client = stack.client("lambda")
            client.create_function_url_config(FunctionName=name, AuthType="NONE")
            let_everybody(client, name)
            return Door(stack, kind, port, f"/_function-url/{name}", name)
        case "CloudFront":
            name = open_door(stack, FUNCTION_URL, code, **config).function
            url = stack.client("lambda").get_function_url_config(FunctionName=name)["FunctionUrl"]
            url_id = url.rstrip("/").rpartition("/")[2]
            return _distribution(stack, name, f"{url_id}.lambda-url.us-east-1.on.aws")
        case _:
            name = stack.create(code, **config)
            group = make_group(stack, name)
            balancer = make_balancer(stack, group)
            port = int(balancer.url.rpartition(":")[2])
            return Door(stack, kind, port, "", name, group)


def _distribution(stack: Stack, function: str, domain: str) -> Door:
    """A distribution that keeps nothing and hands everything on."""
    methods = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]
    server = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    origin = {"Id": "o", "DomainName": domain, "CustomOriginConfig": server}
    made = stack.client("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": secrets.token_hex(8),
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "o",
                "ViewerProtocolPolicy": "allow-all",
                "AllowedMethods": {"Quantity": len(methods), "Items": methods},
                # AWS's CachingDisabled and AllViewerExceptHostHeader.
                "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
                "OriginRequestPolicyId": "b689b0a8-53d0-40ab-baf2-68738e2966ac",
            },
        }
    )["Distribution"]
    listed = requests.get(
        f"http://127.0.0.1:{stack.port}/_trigger_stack/distributions", timeout=10
    ).json()
    (address,) = [one["address"] for one in listed if one["id"] == made["Id"]]
    return Door(stack, CLOUDFRONT, int(address.rpartition(":")[2]), "", function, made["Id"])

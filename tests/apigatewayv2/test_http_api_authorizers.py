"""JWT and Lambda authorizers of HTTP APIs: who gets through, and what the function learns."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from http_api_emulator import HttpApi

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

type MakeApi = Callable[..., HttpApi]
AUDIENCE = "brand-clients"


@dataclass
class Issuer:
    """An OpenID provider of the test's own: keys at an address, and tokens."""

    url: str = ""
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add_key(self, name: str) -> None:
        self.keys[name] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def document(self, path: str) -> dict[str, Any] | None:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            algorithm = jwt.algorithms.RSAAlgorithm
            return {
                "keys": [
                    {**json.loads(algorithm.to_jwk(key.public_key())), "kid": name, "use": "sig"}
                    for name, key in self.keys.items()
                ]
            }
        return None

    def token(self, key: str = "one", *, signed_by: str = "", **claims: Any) -> str:
        now = int(time.time())
        wanted = {
            "iss": self.url, "aud": AUDIENCE, "sub": "u1", "iat": now, "exp": now + 60, **claims,
        }  # fmt: skip
        wanted = {name: value for name, value in wanted.items() if value is not None}
        private = self.keys[signed_by or key]
        return jwt.encode(wanted, private, algorithm="RS256", headers={"kid": key})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = made.document(self.path)
            body = json.dumps(document).encode()
            self.send_response(200 if document else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    made.add_key("one")
    yield made
    server.shutdown()


def authorizer(api: HttpApi, **settings: Any) -> str:
    made = api.client.create_authorizer(
        ApiId=api.api_id, **{"Name": secrets.token_hex(4), **settings}
    )
    return made["AuthorizerId"]


def jwt_authorizer(api: HttpApi, issuer: Issuer, **settings: Any) -> str:
    return authorizer(
        api,
        **{
            "AuthorizerType": "JWT",
            "IdentitySource": ["$request.header.Authorization"],
            "JwtConfiguration": {"Issuer": issuer.url, "Audience": [AUDIENCE]},
            **settings,
        },
    )


def protect(
    api: HttpApi, key: str, identifier: str | None, kind: str = "JWT", **settings: Any
) -> None:
    """Let a route that is there ask an authorizer."""
    routes = api.client.get_routes(ApiId=api.api_id)["Items"]
    (route,) = [route for route in routes if route["RouteKey"] == key]
    api.client.update_route(
        ApiId=api.api_id,
        RouteId=route["RouteId"],
        AuthorizationType=kind,
        **({"AuthorizerId": identifier} if identifier else {}),
        **settings,
    )


@pytest.fixture
def protected(make_api: MakeApi, functions: Callable[..., str], issuer: Issuer) -> HttpApi:
    """``GET /x`` asks for a token, ``GET /open`` for nothing."""
    api = make_api()
    for key in ("GET /x", "GET /open"):
        api.route(key, functions("echo"))
    protect(api, "GET /x", jwt_authorizer(api, issuer))
    return api


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_lets_through_and_the_function_has_its_claims(
    protected: HttpApi, issuer: Issuer
) -> None:
    roles = {"roles": ["x", "y"], "A": 1}
    token = issuer.token(scope="read write", groups=["a", "b"], admin=True, level=3, access=roles)

    event = protected.event("GET", "/x", headers=bearer(token))

    found = event["requestContext"]["authorizer"]["jwt"]
    assert found["scopes"] == ["read", "write"]
    assert (found["claims"]["sub"], found["claims"]["iss"]) == ("u1", issuer.url)
    assert (found["claims"]["groups"], found["claims"]["admin"]) == ("[a b]", "true")
    assert (found["claims"]["level"], found["claims"]["access"]) == ("3", "map[A:1 roles:[x y]]")
    assert "authorizer" not in protected.event("GET", "/open")["requestContext"]


def test_a_token_without_bearer_and_with_client_id_counts(
    protected: HttpApi, issuer: Issuer
) -> None:
    token = issuer.token(aud=None, client_id=AUDIENCE)

    assert protected.call("GET", "/x", headers={"Authorization": token}).status_code == 200


def test_a_route_with_aws_iam_asks_for_a_signature(
    make_api: MakeApi, functions: Callable[..., str]
) -> None:
    api = make_api()
    api.route("GET /x", functions("echo"))
    protect(api, "GET /x", None, "AWS_IAM")

    def signed(secret: str, service: str = "execute-api") -> requests.Response:
        request = AWSRequest("GET", f"{api.url}/x?a=1")
        SigV4Auth(Credentials("test", secret), service, "us-east-1").add_auth(request)
        return api.call("GET", "/x?a=1", headers=dict(request.headers))

    good = signed("test")
    assert good.status_code == 200, good.text
    iam = good.json()["requestContext"]["authorizer"]["iam"]
    assert (iam["accessKey"], iam["accountId"]) == ("test", "000000000000")
    for refused in (signed("other"), signed("test", "lambda"), api.call("GET", "/x?a=1")):
        assert (refused.status_code, refused.json()) == (403, {"message": "Forbidden"})


def test_without_a_token_it_is_401(protected: HttpApi) -> None:
    answer = protected.call("GET", "/x")

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_of_one_part_is_said_to_be_one(protected: HttpApi) -> None:
    answer = protected.call("GET", "/x", headers=bearer("not-a-token"))

    assert answer.headers["www-authenticate"] == (
        'Bearer scope="" error="invalid_token"'
        ' error_description="token contains an invalid number of segments"'
    )


def test_a_token_cannot_write_headers_of_the_answer(protected: HttpApi, issuer: Issuer) -> None:
    forged = 'one"\r\nx-mine: "1'
    token = jwt.encode({"iss": issuer.url}, issuer.keys["one"], "RS256", {"kid": forged})

    answer = protected.call("GET", "/x", headers=bearer(token))

    assert answer.status_code == 401
    assert "x-mine" not in answer.headers


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": 1}, "the token has expired"),
        ({"exp": None}, 'Token is missing the \'exp\' claim'),
        ({"nbf": 4_000_000_000}, "not yet valid"),
        ({"iss": "https://other.example"}, "issuer does not match"),
        ({"aud": "others"}, "the token does not have a valid audience"),
        ({"aud": ["others", "more"]}, "the token does not have a valid audience"),
        ({"aud": None}, "the token does not have a valid audience"),
        ({"aud": None, "client_id": {"a": 1}}, "the token does not have a valid audience"),
    ],
)  # fmt: skip
def test_a_token_that_does_not_hold_is_401(
    protected: HttpApi, issuer: Issuer, claims: dict[str, Any], why: str
) -> None:
    answer = protected.call("GET", "/x", headers=bearer(issuer.token(**claims)))

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert why in answer.headers["www-authenticate"]


def test_a_forged_token_is_401(protected: HttpApi, issuer: Issuer) -> None:
    stranger = Issuer(issuer.url)
    stranger.add_key("one")
    unsigned = jwt.encode({"iss": issuer.url, "aud": AUDIENCE}, "", algorithm="none")
    secret = "public key of the issuer, which everybody has"
    confused = jwt.encode({"iss": issuer.url}, secret, algorithm="HS256", headers={"kid": "one"})

    for token in (stranger.token(), unsigned, confused, "a.b.c", "x" * 5000, "é"):
        headers = {"Authorization": f"Bearer {token}".encode()}
        assert protected.call("GET", "/x", headers=headers).status_code == 401, token


def test_a_new_key_is_fetched_when_a_token_names_it(
    protected: HttpApi, issuer: Issuer, make_api: MakeApi, functions: Callable[..., str]
) -> None:
    issuer.add_key("two")

    def accepted() -> bool:
        token = issuer.token("two")
        return protected.call("GET", "/x", headers=bearer(token)).status_code == 200

    deadline = time.monotonic() + 20  # keys are not fetched again within five seconds
    while not accepted():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_keys_are_kept(protected: HttpApi, issuer: Issuer) -> None:
    assert protected.call("GET", "/x", headers=bearer(issuer.token())).status_code == 200
    before = len(issuer.asked)
    for _ in range(20):
        assert protected.call("GET", "/x", headers=bearer(issuer.token())).status_code == 200

    assert len(issuer.asked) == before


@pytest.mark.parametrize(("scope", "status"), [("a read", 200), ("a", 403), (None, 403)])
def test_a_route_asks_for_one_of_its_scopes(
    protected: HttpApi, issuer: Issuer, scope: str | None, status: int
) -> None:
    (made,) = protected.client.get_authorizers(ApiId=protected.api_id)["Items"]
    scopes = ["read", "write"]
    protect(protected, "GET /x", made["AuthorizerId"], AuthorizationScopes=scopes)

    answer = protected.call("GET", "/x", headers=bearer(issuer.token(scope=scope)))

    assert answer.status_code == status
    if status == 403:
        assert answer.json() == {"message": "Forbidden"}
        assert answer.headers["www-authenticate"] == (
            'Bearer scope="read write" error="insufficient_scope"'
            ' error_description="expected scopes: [read write]"'
        )
        expired = protected.call("GET", "/x", headers=bearer(issuer.token(exp=1)))
        assert expired.headers["www-authenticate"] == (
            'Bearer scope="read write" error="invalid_token"'
            ' error_description="the token has expired"'
        )


def test_an_issuer_that_cannot_be_asked_lets_nobody_through(
    make_api: MakeApi, functions: Callable[..., str], issuer: Issuer
) -> None:
    api = make_api()
    api.route("GET /x", functions("echo"))
    gone = Issuer("http://127.0.0.1:9", dict(issuer.keys))
    protect(api, "GET /x", jwt_authorizer(api, gone))

    answer = api.call("GET", "/x", headers=bearer(gone.token()))

    assert answer.status_code == 401
    assert "cannot be read" in answer.headers["www-authenticate"]


def test_a_token_in_the_query_and_payload_1_0(
    make_api: MakeApi, functions: Callable[..., str], issuer: Issuer
) -> None:
    api = make_api()
    api.route("GET /x", functions("echo"), "1.0")
    source = ["$request.querystring.token"]
    protect(api, "GET /x", jwt_authorizer(api, issuer, IdentitySource=source))

    event = api.event("GET", f"/x?token={issuer.token()}")

    assert event["requestContext"]["authorizer"]["claims"]["sub"] == "u1"


# --- Lambda authorizers


def lambda_authorizer(api: HttpApi, arn: str, **settings: Any) -> str:
    region = arn.split(":")[3]
    uri = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"
    return authorizer(
        api,
        **{
            "AuthorizerType": "REQUEST",
            "AuthorizerUri": uri,
            "AuthorizerPayloadFormatVersion": "2.0",
            "EnableSimpleResponses": True,
            "IdentitySource": ["$request.header.x-who"],
            **settings,
        },
    )


@pytest.fixture
def asking(make_api: MakeApi, functions: Callable[..., str]) -> Callable[..., HttpApi]:
    """``GET /{name}`` asks a function who may."""

    def make(handler: str = "authorize", **settings: Any) -> HttpApi:
        api = make_api()
        api.route("GET /{name}", functions("echo"))
        identifier = lambda_authorizer(api, functions(handler), **settings)
        protect(api, "GET /{name}", identifier, "CUSTOM")
        return api

    return make


def test_a_function_decides_and_its_context_arrives(asking: Callable[..., HttpApi]) -> None:
    api = asking()

    context = api.event("GET", "/a", headers={"x-who": "yes"})["requestContext"]["authorizer"]

    assert context["lambda"]["who"] == "yes"
    assert context["lambda"]["type"] == "REQUEST"
    assert context["lambda"]["arn"].endswith(f":{api.api_id}/$default/GET/a")
    refused = api.call("GET", "/a", headers={"x-who": "no"})
    assert (refused.status_code, refused.json()) == (403, {"message": "Forbidden"})


def test_without_an_identity_the_function_is_not_asked(asking: Callable[..., HttpApi]) -> None:
    answer = asking().call("GET", "/a")

    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


def test_an_answer_is_kept_for_an_identity(asking: Callable[..., HttpApi]) -> None:
    def asked(api: HttpApi, who: str) -> int:
        event = api.event("GET", "/a", headers={"x-who": who})
        return int(event["requestContext"]["authorizer"]["lambda"]["asked"])

    kept, always = asking(), asking(AuthorizerResultTtlInSeconds=0)
    assert asked(kept, "yes-1") == asked(kept, "yes-1")
    assert asked(kept, "yes-1") != asked(kept, "yes-2")
    assert asked(always, "yes-1") != asked(always, "yes-1")


def test_an_answer_is_kept_for_each_stage(asking: Callable[..., HttpApi]) -> None:
    """A policy may name the stage."""
    api = asking()
    api.client.create_stage(ApiId=api.api_id, StageName="two", AutoDeploy=True)

    def asked(path: str) -> int:
        event = api.event("GET", path, headers={"x-who": "yes"})
        return int(event["requestContext"]["authorizer"]["lambda"]["asked"])

    first, other = asked("/a"), asked("/two/a")

    assert first != other
    assert (asked("/a"), asked("/two/a")) == (first, other)


def test_what_is_no_answer_is_500(asking: Callable[..., HttpApi]) -> None:
    api = asking()
    assert api.call("GET", "/a", headers={"x-who": "broken"}).status_code == 500
    failing = asking("raising")
    assert failing.call("GET", "/a", headers={"x-who": "yes"}).status_code == 500


def test_a_policy_allows_the_paths_that_it_names(asking: Callable[..., HttpApi]) -> None:
    api = asking(
        "authorize_by_policy",
        AuthorizerPayloadFormatVersion="1.0",
        EnableSimpleResponses=False,
        AuthorizerResultTtlInSeconds=0,
    )
    headers = {"x-who": "u", "x-may": "a*"}

    event = api.event("GET", "/abc", headers=headers)

    assert event["requestContext"]["authorizer"]["lambda"] == {"number": 1}
    assert api.call("GET", "/b", headers=headers).status_code == 403


def test_a_function_whose_policy_does_not_allow_it_is_500(
    make_api: MakeApi, functions: Callable[..., str]
) -> None:
    api = make_api()
    api.route("GET /{name}", functions("echo"))
    arn = functions("authorize", permission=False)
    protect(api, "GET /{name}", lambda_authorizer(api, arn), "CUSTOM")

    assert api.call("GET", "/a", headers={"x-who": "yes"}).status_code == 500


# --- The control plane


def test_an_authorizer_can_be_read_changed_and_deleted(
    make_api: MakeApi, issuer: Issuer, apigatewayv2: ApiGatewayV2Client
) -> None:
    api = make_api()
    identifier = jwt_authorizer(api, issuer, Name="first")
    one = {"ApiId": api.api_id, "AuthorizerId": identifier}

    changed = apigatewayv2.update_authorizer(**one, Name="second")
    found = apigatewayv2.get_authorizer(**one)

    assert changed["Name"] == found["Name"] == "second"
    assert found["JwtConfiguration"] == {"Issuer": issuer.url, "Audience": [AUDIENCE]}
    apigatewayv2.delete_authorizer(**one)
    assert apigatewayv2.get_authorizers(ApiId=api.api_id)["Items"] == []
    with pytest.raises(apigatewayv2.exceptions.NotFoundException):
        apigatewayv2.get_authorizer(**one)


def test_an_authorizer_in_use_cannot_be_deleted(
    protected: HttpApi, apigatewayv2: ApiGatewayV2Client
) -> None:
    (made,) = apigatewayv2.get_authorizers(ApiId=protected.api_id)["Items"]

    with pytest.raises(apigatewayv2.exceptions.ConflictException, match="referenced in route"):
        apigatewayv2.delete_authorizer(ApiId=protected.api_id, AuthorizerId=made["AuthorizerId"])


JWT = {
    "AuthorizerType": "JWT",
    "Name": "n",
    "IdentitySource": ["$request.header.Authorization"],
    "JwtConfiguration": {"Issuer": "https://issuer.example", "Audience": ["a"]},
}
REQUEST = {
    "AuthorizerType": "REQUEST",
    "Name": "n",
    "IdentitySource": ["$request.header.x"],
    "AuthorizerUri": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "AuthorizerPayloadFormatVersion": "2.0",
}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (JWT | {"AuthorizerType": "TOKEN"}, "Invalid authorizer type TOKEN"),
        (JWT | {"IdentitySource": ["header.x"]}, "Invalid identity source header.x"),
        (JWT | {"IdentitySource": []}, "needs one identity source"),
        (JWT | {"JwtConfiguration": {"Audience": ["a"]}}, "Invalid issuer"),
        (JWT | {"JwtConfiguration": {"Issuer": "https://i"}}, "needs an audience"),
        (JWT | {"EnableSimpleResponses": True}, "EnableSimpleResponses is not for"),
        (REQUEST | {"AuthorizerUri": "https://x"}, "Invalid authorizer URI"),
        (REQUEST | {"AuthorizerPayloadFormatVersion": "3.0"}, "must be 1.0 or 2.0"),
        (REQUEST | {"AuthorizerResultTtlInSeconds": 3601}, "between 0 and 3600"),
        (
            REQUEST | {"AuthorizerResultTtlInSeconds": 1, "IdentitySource": []},
            "needs an identity source",
        ),
        (
            REQUEST | {"AuthorizerPayloadFormatVersion": "1.0", "EnableSimpleResponses": True},
            "needs AuthorizerPayloadFormatVersion 2.0",
        ),
    ],
)
def test_an_authorizer_that_cannot_work_is_refused(
    make_api: MakeApi, settings: dict[str, Any], said: str
) -> None:
    api = make_api()

    with pytest.raises(ClientError, match=said) as caught:
        api.client.create_authorizer(ApiId=api.api_id, **settings)

    assert caught.value.response["Error"]["Code"] == "BadRequestException"


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({"AuthorizationType": "JWT"}, "Invalid authorizer ID"),
        ({"AuthorizationType": "JWT", "AuthorizerId": "nothere"}, "Invalid authorizer ID"),
        ({"AuthorizationType": "CUSTOM"}, "does not fit an authorizer of type JWT"),
        ({"AuthorizationType": "OTHER"}, "Invalid authorization type OTHER"),
    ],
)
def test_a_route_that_would_stay_open_is_refused(
    make_api: MakeApi, issuer: Issuer, route: dict[str, str], said: str
) -> None:
    api = make_api()
    identifier = jwt_authorizer(api, issuer)
    if route["AuthorizationType"] == "CUSTOM":
        route = route | {"AuthorizerId": identifier}

    with pytest.raises(ClientError, match=said):
        api.client.create_route(ApiId=api.api_id, RouteKey="GET /x", **route)

"""Applications of others run unchanged behind the front doors: Powertools' resolvers, and ASGI."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.engine.front_doors import (
    DOORS,
    FUNCTION_URL,
    HTTP_API,
    LOAD_BALANCER,
    REST_API,
    Door,
    open_door,
)
from tests.engine.lambda_stack import Stack

POWERTOOLS = """
from aws_lambda_powertools.event_handler import {resolver} as Resolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.shared.cookies import Cookie

app = Resolver()

@app.get("/brand/<brand_id>")
def get(brand_id):
    if brand_id == "none":
        raise NotFoundError("no such brand")
    query = app.current_event.resolved_query_string_parameters or {{}}
    return {{"id": brand_id, "q": query.get("q"), "method": app.current_event.http_method}}

@app.post("/brand")
def post():
    return Response(status_code=201, content_type="application/json",
                    body=app.current_event.json_body, headers={{"location": "/brand/x"}})

@app.get("/cookies")
def cookies():
    return Response(status_code=200, content_type="text/plain", body="ok", cookies=[
        Cookie(name="a", value="1", secure=False), Cookie(name="b", value="2", secure=False)])

@app.post("/bytes")
def binary():
    import base64
    event = app.current_event
    assert event.is_base64_encoded
    body = base64.b64decode(event.body)
    return Response(status_code=200, content_type="image/png", body=body[::-1])

@app.get("/old")
def old():
    return Response(status_code=307, content_type="text/plain", body="",
                    headers={{"location": "/brand/new"}})

@app.get("/broken")
def broken():
    raise RuntimeError("the secret of the function")

def handler(event, context):
    return app.resolve(event, context)
"""

STARLETTE = """
from mangum import Mangum
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

async def get(request):
    brand = request.path_params["brand_id"]
    if brand == "none":
        return JSONResponse({"message": "no such brand"}, 404)
    query = request.query_params.getlist("q")
    return JSONResponse({"id": brand, "q": query or None, "method": request.method,
                         "cookies": request.cookies})

async def post(request):
    return JSONResponse(await request.json(), 201, headers={"location": "/brand/x"})

async def cookies(request):
    response = PlainTextResponse("ok")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response

async def binary(request):
    return Response((await request.body())[::-1], media_type="image/png")

async def old(request):
    return RedirectResponse("/brand/new")

async def broken(request):
    raise RuntimeError("the secret of the function")

app = Starlette(routes=[
    Route("/brand/{brand_id}", get), Route("/brand", post, methods=["POST"]),
    Route("/cookies", cookies), Route("/bytes", binary, methods=["POST"]),
    Route("/old", old), Route("/broken", broken),
])
handler = Mangum(app, lifespan="off")
"""

RESOLVERS = {
    HTTP_API: "APIGatewayHttpResolver",
    REST_API: "APIGatewayRestResolver",
    FUNCTION_URL: "LambdaFunctionUrlResolver",
    LOAD_BALANCER: "ALBResolver",
}


def package(code: str, *modules: str) -> dict[str, str | bytes]:
    """A deployment package of a handler and the pure Python of what it imports."""
    files: dict[str, str | bytes] = {"app.py": code}
    for name in modules:
        file = Path(str(importlib.import_module(name).__file__))
        if file.name != "__init__.py":
            files[file.name] = file.read_bytes()
            continue
        for module in file.parent.rglob("*.py"):
            path = module.relative_to(file.parent.parent).as_posix()
            files[path] = module.read_bytes()
    return files


@pytest.fixture(scope="module")
def applications(stack: Stack) -> dict[str, Door]:
    asgi = package(STARLETTE, "mangum", "starlette", "anyio", "idna", "typing_extensions")

    def make(name: str) -> Door:
        framework, kind = name.split(" behind ")
        code = POWERTOOLS.format(resolver=RESOLVERS[kind])
        powertools = package(code, "aws_lambda_powertools", "jmespath", "typing_extensions")
        files = asgi if framework == "Starlette" else powertools
        door = open_door(stack, kind, files, MemorySize=256)
        if kind == LOAD_BALANCER:
            attribute = {"Key": "lambda.multi_value_headers.enabled", "Value": "true"}
            stack.client("elbv2").modify_target_group_attributes(
                TargetGroupArn=door.resource, Attributes=[attribute]
            )
        return door

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(NAMES, pool.map(make, NAMES), strict=True))


NAMES = [
    f"{framework} behind {kind}" for framework in ("Powertools", "Starlette") for kind in DOORS
]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def door(applications: dict[str, Door], name: str) -> Door:
    return applications[name]


def test_routes_and_path_parameters(door: Door) -> None:
    answer = door.call("GET", "/brand/acme-1_x.y")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["id"] == "acme-1_x.y"
    assert answer.json()["method"] == "GET"


def test_an_unknown_route_is_the_applications_404(door: Door) -> None:
    assert door.call("GET", "/nothing").status_code == 404


def test_a_query_string_with_a_name_twice(door: Door) -> None:
    assert door.call("GET", "/brand/a?q=1&x=%C3%BC&q=2").json()["q"] == ["1", "2"]


def test_errors_of_the_application(door: Door) -> None:
    answer = door.call("GET", "/brand/none")

    assert answer.headers["content-type"] == "application/json"
    assert (answer.status_code, answer.json()["message"]) == (404, "no such brand")


def test_json_both_ways_and_a_header(door: Door) -> None:
    answer = door.call("POST", "/brand", json={"a": "ü", "b": [1, None]})

    assert (answer.status_code, answer.json()) == (201, {"a": "ü", "b": [1, None]})
    assert answer.headers["location"] == "/brand/x"


def test_two_cookies_are_set(door: Door) -> None:
    answer = door.call("GET", "/cookies")

    assert (answer.status_code, answer.text) == (200, "ok")
    cookies = answer.raw.headers.getlist("set-cookie")
    assert [cookie.partition(";")[0] for cookie in cookies] == ["a=1", "b=2"]


def test_binary_bodies_both_ways(door: Door) -> None:
    data = bytes(range(256)) * 4

    answer = door.call("POST", "/bytes", data=data, headers={"Content-Type": "image/png"})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == data[::-1]


def test_a_redirect_is_the_clients_to_follow(door: Door) -> None:
    answer = door.call("GET", "/old")

    assert (answer.status_code, answer.headers["location"]) == (307, "/brand/new")


def test_an_exception_says_nothing_to_the_client(door: Door, name: str) -> None:
    """Starlette makes an answer of it; with Powertools the function fails."""
    answer = door.call("GET", "/broken")

    failed = {HTTP_API: 500, REST_API: 502, FUNCTION_URL: 502, LOAD_BALANCER: 502}[door.kind]
    assert answer.status_code == (500 if name.startswith("Starlette") else failed)
    assert "secret" not in answer.text


def test_cookies_and_escapes_reach_an_asgi_application(
    applications: dict[str, Door],
) -> None:
    for kind in DOORS:
        door = applications[f"Starlette behind {kind}"]
        path = "/brand/%C3%BC%20x?q=a%26b&q=c+d"
        answer = door.call("GET", path, headers={"Cookie": "a=1; b=2"}).json()
        assert answer["cookies"] == {"a": "1", "b": "2"}, kind
        assert answer["id"] == "ü x", kind
        assert answer["q"] == ["a&b", "c d"], kind


def test_head_is_answered_without_a_body(applications: dict[str, Door]) -> None:
    for kind in DOORS:
        answer = applications[f"Starlette behind {kind}"].call("HEAD", "/brand/a")
        assert (answer.status_code, answer.content) == (200, b""), kind


def test_a_load_balancer_without_multi_value_headers(stack: Stack) -> None:
    """Then the last value of a name counts, and Powertools' resolver knows."""
    code = POWERTOOLS.format(resolver=RESOLVERS[LOAD_BALANCER])
    files = package(code, "aws_lambda_powertools", "jmespath", "typing_extensions")
    door = open_door(stack, LOAD_BALANCER, files)

    assert door.call("GET", "/brand/acme?q=1&q=2").json()["q"] == ["2"]
    assert door.call("GET", "/brand/none").status_code == 404
    assert door.call("POST", "/brand", json={"a": "ü"}).json() == {"a": "ü"}

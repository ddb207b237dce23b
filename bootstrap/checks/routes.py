"""Routes of APIs (API Gateway, "Quotas for HTTP APIs", "Routes for HTTP APIs", "REST APIs")."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import PERMISSION, View, is_event, own_name, within
from bootstrap.template import Resource

_HTTP_API_SECONDS = 30
_REST_API_SECONDS = 29
_VARIABLE = re.compile(r"\{[^{}]*\}")


def _integrated(view: View, value: object) -> Resource | None:
    """The function in the URI of an integration."""
    text = view.text(value) or ""
    function = view.function(value)
    if function is not None:
        return function
    found = re.search(r"\$\{([A-Za-z0-9]+)\.Arn\}", text)
    return view.resources.get(found[1]) if found else None


@rule(
    "TS601", Severity.WARNING, mend="Set a timeout below that, or take a queue for the long part."
)
def longer_than_the_api_waits(view: View) -> Iterator[Hit]:
    """API Gateway answers with an error before the function is done, and the client tries again."""
    seen = set()
    places = [
        (integration.properties.get("IntegrationUri"), _HTTP_API_SECONDS)
        for integration in view.of("AWS::ApiGatewayV2::Integration")
    ]
    places += [
        (within(method.properties, "Integration", "Uri"), _REST_API_SECONDS)
        for method in view.of("AWS::ApiGateway::Method")
        if not is_event(method)
    ]
    for uri, limit in places:
        function = _integrated(view, uri)
        if function is None or view.timeout(function) <= limit:
            continue
        if (function.logical_id, limit) in seen:
            continue
        seen.add((function.logical_id, limit))
        yield Hit(
            f"{own_name(function)} may take {view.timeout(function)} s; the API waits {limit} s.",
            view.at(function, "Timeout"),
        )


def _routes(view: View) -> Iterator[tuple[Resource, str, str]]:
    """The routes of HTTP APIs with method and path."""
    for route in view.of("AWS::ApiGatewayV2::Route"):
        method, _, path = str(route.properties.get("RouteKey")).partition(" ")
        if path:
            yield route, method, path


@rule("TS602", Severity.ERROR, mend="Put each variable between slashes of its own.")
def two_variables(view: View) -> Iterator[Hit]:
    """API Gateway refuses a part of a path that is more than one variable, or not only one."""
    parts = [(route, part) for route, _, path in _routes(view) for part in path.split("/")]
    parts += [
        (resource, str(resource.properties.get("PathPart")))
        for resource in view.of("AWS::ApiGateway::Resource")
    ]
    for resource, part in parts:
        if "{" in part and not _VARIABLE.fullmatch(part):
            yield Hit(f"“{part}” is not one variable.", view.at(resource, "RouteKey"))


@rule("TS603", Severity.WARNING, mend="Remove one of them, or give it another path.")
def shadowed(view: View) -> Iterator[Hit]:
    """Both match the same requests: one of them is refused, or never reached."""
    first: dict[tuple[str, str, str], Resource] = {}
    for route, method, path in _routes(view):
        api = view.text(route.properties.get("ApiId")) or ""
        shape = _VARIABLE.sub(lambda m: "{+}" if m[0].endswith("+}") else "{}", path)
        before = first.setdefault((api, method, shape), route)
        if before is not route:
            line = view.document.line(before.path)
            what = f"{method} {path} matches the same requests as the route on line {line}."
            yield Hit(what, view.at(route, "RouteKey"))
    siblings: dict[tuple[str, bool], Resource] = {}
    for resource in view.of("AWS::ApiGateway::Resource"):
        part = str(resource.properties.get("PathPart"))
        if not _VARIABLE.fullmatch(part):
            continue
        parent = view.text(resource.properties.get("ParentId")) or ""
        before = siblings.setdefault((parent, part.endswith("+}")), resource)
        if before is not resource:
            line = view.document.line(before.path)
            what = f"“{part}” stands at the same place as the variable on line {line}."
            yield Hit(what, view.at(resource, "PathPart"))


@rule(
    "TS604",
    Severity.ERROR,
    mend="Add an AWS::Lambda::Permission for lambda:InvokeFunctionUrl with the Principal '*'.",
)
def refusing_url(view: View) -> Iterator[Hit]:
    """The address answers 403 to everybody: without a permission nobody may use it."""
    for url in view.of("AWS::Lambda::Url"):
        function = view.function(url.properties["TargetFunctionArn"])
        if url.properties["AuthType"] != "NONE" or function is None:
            continue
        if not any(
            view.function(one.properties["FunctionName"]) is function
            and one.properties["Principal"] == "*"
            and str(one.properties["Action"]).lower() in _USES_URL
            for one in view.of(PERMISSION)
        ):
            what = f"The function URL {url.logical_id} has no permission."
            yield Hit(what, view.at(url, "AuthType"))


_USES_URL = ("lambda:invokefunctionurl", "lambda:*", "*")

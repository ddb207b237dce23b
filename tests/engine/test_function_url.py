"""Function URLs: a request becomes an event, and the function's reply the response."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from tests.engine.lambda_stack import Stack


def call(stack: Stack, url: str, path: str, **options: object) -> requests.Response:
    """Call a function URL by its host name, without a name server."""
    host = urlsplit(url).netloc
    return requests.post(
        f"http://127.0.0.1:{stack.port}{path}",
        headers={"Host": host},
        timeout=20,
        **options,  # type: ignore[arg-type]  # passed on
    )


def test_a_url_calls_its_function(stack: Stack) -> None:
    name = stack.create(
        """
        import json
        def handler(event, context):
            assert context.client_context is None
            return {"statusCode": 201, "headers": {"x-path": event["rawPath"]},
                    "body": json.dumps({"got": event["body"]})}
        """
    )
    made = stack.client("lambda").create_function_url_config(FunctionName=name, AuthType="NONE")

    answer = call(stack, made["FunctionUrl"], "/some/path", json={"a": 1})

    assert answer.status_code == 201, answer.text
    assert answer.headers["x-path"] == "/some/path"
    assert answer.json() == {"got": '{"a": 1}'}


def test_a_function_error_is_502(stack: Stack) -> None:
    name = stack.create("def handler(event, context): raise ValueError('no')")
    made = stack.client("lambda").create_function_url_config(FunctionName=name, AuthType="NONE")

    answer = call(stack, made["FunctionUrl"], "/")

    assert answer.status_code == 502

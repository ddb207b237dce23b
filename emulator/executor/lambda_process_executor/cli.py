"""What the command line tools of this package share."""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from typing import Any

import boto3

DEFAULT_ENDPOINT = "http://127.0.0.1:4566"


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with the option that all tools have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument(
        "--endpoint",
        default=os.environ.get("AWS_ENDPOINT_URL", DEFAULT_ENDPOINT),
        help="where LocalStack answers (default: %(default)s)",
    )
    return made


def client(service: str, endpoint: str) -> Any:
    """A boto3 client for LocalStack's default account."""
    made: Any = boto3.client  # the service is a variable: no overload fits
    return made(
        service,
        endpoint_url=endpoint,
        region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
    )


def control(endpoint: str, what: str, method: str, body: dict[str, Any] | None = None) -> None:
    """Call a route of :mod:`control`.

    Raises
    ------
    SystemExit
        With one sentence, when LocalStack does not answer or refuses.
    """
    request = urllib.request.Request(  # noqa: S310  the user names the endpoint
        f"{endpoint.rstrip('/')}/_trigger_stack/lambda/{what}",
        method=method,
        data=json.dumps(body or {}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        raise SystemExit(f"LocalStack at {endpoint} refuses: {text}") from None
    except OSError as error:
        raise SystemExit(f"LocalStack does not answer at {endpoint}: {error}") from None


def load_lambda(endpoint: str) -> set[str]:
    """Make LocalStack load its Lambda service, and with it the routes; returns function names."""
    try:
        pages = client("lambda", endpoint).get_paginator("list_functions").paginate()
        return {function["FunctionName"] for page in pages for function in page["Functions"]}
    except Exception as error:
        raise SystemExit(f"LocalStack does not answer at {endpoint}: {error}") from None

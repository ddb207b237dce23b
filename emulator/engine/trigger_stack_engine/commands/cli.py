"""Helpers that the command line tools of this package share.

They end with code 2 when they were called wrongly, 1 when LocalStack does not answer or refuses;
what was wrong is one sentence on stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

DEFAULT_ENDPOINT = "http://127.0.0.1:4566"


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with the option that all tools have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument(
        "--endpoint",
        default=os.environ.get("AWS_ENDPOINT_URL") or DEFAULT_ENDPOINT,
        type=endpoint,
        help="where LocalStack answers (default: %(default)s)",
    )
    return made


def wrong_use(sentence: str) -> NoReturn:
    """End with code 2 and ``sentence``. Raises SystemExit."""
    print(sentence, file=sys.stderr)
    raise SystemExit(2)


def endpoint(text: str) -> str:
    """An http or https URL; for argparse."""
    try:
        url = urlsplit(text)
        good = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:  # a port that is no number
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL; write {DEFAULT_ENDPOINT}")
    return text


def name(text: str) -> str:
    """Something that has a name; for argparse."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give a name")
    return text


def folder(text: str) -> Path:
    """The absolute path of a folder that is there; for argparse."""
    path = Path(text).absolute()
    if not text.strip() or not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text!r}")
    return path


def check_function(function: str, names: set[str]) -> None:
    """End with code 2 unless ``function`` is one of ``names``. Raises SystemExit."""
    if function not in names:
        known = ", ".join(sorted(names)) or "none"
        wrong_use(f"There is no function {function!r}; functions: {known}")


def client(service: str, endpoint: str) -> Any:
    """A boto3 client for LocalStack's default account."""
    # Imported here: it takes half a second, and a mistyped option should fail at once.
    import boto3
    from botocore.config import Config

    made: Any = boto3.client  # the service is a variable: no overload fits
    return made(
        service,
        endpoint_url=endpoint,
        region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
        # A server on this machine that does not answer now does not run.
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5),
    )


def control(endpoint: str, what: str, method: str, body: dict[str, Any] | None = None) -> None:
    """Call a route of :mod:`control`.

    Raises:
        SystemExit: With one sentence, when LocalStack does not answer or refuses.
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

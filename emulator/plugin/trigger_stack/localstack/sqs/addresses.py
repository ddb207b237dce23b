"""A queue's URL is one that every client reaches.

What: LocalStack's setting ``SQS_ENDPOINT_STRATEGY`` is ``off`` unless it is set:
``http://localhost:4566/000000000000/<queue>``.
Why: by default LocalStack puts ``sqs.<region>.`` before the host, which resolves on few machines.
AWS's SDK for JavaScript sends to the host of the queue's URL: each call would fail with ENOTFOUND.
Until: LocalStack's default needs no DNS.
Test: ``tests/tools/test_cdk.py``.
"""

from __future__ import annotations

import os

from localstack import config
from localstack.runtime.hooks import on_infra_start

_SETTING = "SQS_ENDPOINT_STRATEGY"


@on_infra_start()
def choose_addresses_that_resolve() -> None:
    """Runs before the first queue can be created."""
    if not os.environ.get(_SETTING):
        config.SQS_ENDPOINT_STRATEGY = "off"

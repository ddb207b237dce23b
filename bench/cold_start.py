"""Cold starts of the brand platform's functions on the running stack: make bench-cold-start.

Each run changes the function's description, so that the next invocation needs a new execution
environment, and invokes it twice. Printed: the wall time of the first call through boto3 less that
of the second (which is warm), and the Init Duration of the REPORT line.
"""

from __future__ import annotations

import base64
import json
import os
import re
import statistics
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from bootstrap import dotenv
from bootstrap.errors import TriggerStackError
from bootstrap.services.lambda_ import wait_until_settled
from bootstrap.settings import Settings

EVENTS = Path(__file__).parents[1] / "tests" / "events"
RUNS = int(os.environ.get("BENCH_RUNS", "20"))
_INIT = re.compile(r"Init Duration: ([\d.]+) ms")

#: An event that each function answers without touching anything that matters.
HARMLESS: dict[str, dict[str, Any]] = {
    "get_brand": json.loads((EVENTS / "http-api-get-brand.json").read_text()),
    "put_brand": {
        **json.loads((EVENTS / "http-api-put-brand.json").read_text()),
        "body": "{}",
        "isBase64Encoded": False,
    },
    "list_brands": json.loads((EVENTS / "http-api-list-brands.json").read_text()),
    "process_logo": {"Event": "s3:TestEvent"},
    "hourly_metrics": json.loads((EVENTS / "eventbridge-scheduled.json").read_text()),
    "notify_brand": {"Records": []},
    "invalidate_cdn": {},
    "regenerate_palette": {},
}


def invoke(client: Any, name: str) -> tuple[float, str]:
    """Milliseconds of one invocation, and the end of its log."""
    started = time.perf_counter()
    answer = client.invoke(
        FunctionName=name, LogType="Tail", Payload=json.dumps(HARMLESS[name]).encode()
    )
    answer["Payload"].read()
    milliseconds = (time.perf_counter() - started) * 1000
    return milliseconds, base64.b64decode(answer["LogResult"]).decode(errors="replace")


def percentile(values: list[float], share: int) -> float:
    """The value below which ``share`` per cent of the values lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def main() -> int:
    """Measure and print; the exit code."""
    dotenv.load(Path(".env"))
    client = Settings.from_environment().client("lambda")
    print(f"{RUNS} cold starts each, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; ms")
    print(f"{'function':<20}{'init p50':>10}{'p95':>8}{'cold - warm p50':>18}{'p95':>8}")
    for name in HARMLESS:
        description = client.get_function_configuration(FunctionName=name)["Description"]
        inits, extra = [], []
        try:
            for _ in range(RUNS):
                client.update_function_configuration(
                    FunctionName=name, Description=f"bench {uuid.uuid4().hex}"
                )
                wait_until_settled(client, name)
                cold, log = invoke(client, name)
                warm, _ = invoke(client, name)
                found = _INIT.search(log)
                assert found, f"{name}: not a cold start:\n{log}"
                inits.append(float(found[1]))
                extra.append(cold - warm)
        finally:
            client.update_function_configuration(FunctionName=name, Description=description)
            wait_until_settled(client, name)
        print(
            f"{name:<20}{percentile(inits, 50):>10.0f}{percentile(inits, 95):>8.0f}"
            f"{percentile(extra, 50):>18.0f}{percentile(extra, 95):>8.0f}"
        )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (TriggerStackError, OSError) as error:
        print(f"error {error}", file=sys.stderr)
        sys.exit(1)

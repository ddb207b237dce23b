"""Measures Rekognition end to end through boto3: ``python -m bench.rekognition [--requests N]``.

Starts an emulator of its own, with the models of ``.build/vision``. Memory is the proportional set
size of the emulator and all its children, so what the worker shares with it counts once.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.rekognition.emulator_process import Emulator, children, start_emulator
from tests.rekognition.sample_pictures import one_megapixel, picture

BUCKET = "bench-pictures"
GOALS = {"warm": "60 ms", "first": "1500 ms", "memory": "150 MB"}


def proportional_set_size(pid: int) -> float:
    """Memory of a process and everything below it, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return own + sum(proportional_set_size(child) for child in children(pid))


def settled_memory(pid: int, seconds: float = 30) -> float:
    """Memory once it stands still: after its start the emulator loads services for a while."""
    deadline = time.monotonic() + seconds
    seen = proportional_set_size(pid)
    while time.monotonic() < deadline:
        time.sleep(0.5)
        now = proportional_set_size(pid)
        if abs(now - seen) < 1:
            return now
        seen = now
    return seen


def milliseconds(call: Callable[[], Any]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def report(name: str, call: Callable[[], Any], requests: int, goal: str = "") -> None:
    """Measure a call and print p50 and p95."""
    call()
    times = sorted(milliseconds(call) for _ in range(requests))
    p50, p95 = statistics.median(times), times[int(len(times) * 0.95)]
    line(name, f"p50 {p50:6.1f} ms   p95 {p95:6.1f} ms", goal)


def line(name: str, value: str, goal: str = "") -> None:
    """Print one figure."""
    print(f"{name:46} {value}{f'   (goal: {goal})' if goal else ''}")


def run(emulator: Emulator, requests: int) -> None:
    """Measure first calls, warm calls and memory."""
    s3, rekognition = emulator.client("s3"), emulator.client("rekognition")
    data = one_megapixel()
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="photo.png", Body=data)
    line("picture", f"1.0 megapixel PNG, {len(data) / 1e6:.1f} MB")

    in_s3 = {"S3Object": {"Bucket": BUCKET, "Name": "photo.png"}}
    before = settled_memory(emulator.process.pid)
    line("memory before the first picture", f"{before:.0f} MB, {len(emulator.workers())} workers")
    first = milliseconds(lambda: rekognition.detect_labels(Image=in_s3))
    line("DetectLabels, first call", f"{first:.0f} ms", GOALS["first"])

    report(
        "DetectLabels, picture in S3",
        lambda: rekognition.detect_labels(Image=in_s3),
        requests,
        GOALS["warm"],
    )
    added = proportional_set_size(emulator.process.pid) - before
    worker = sum(map(proportional_set_size, emulator.workers()))
    line("memory added", f"{added:.0f} MB, of it the worker {worker:.0f} MB", GOALS["memory"])
    report(
        "DetectLabels, picture as bytes",
        lambda: rekognition.detect_labels(Image={"Bytes": data}),
        requests,
        GOALS["warm"],
    )
    wordmark = picture("wordmark")
    report(
        "DetectLabels, logo with text (800 x 400)",
        lambda: rekognition.detect_labels(Image={"Bytes": wordmark}),
        requests,
    )
    report(
        "DetectText, logo with text (800 x 400)",
        lambda: rekognition.detect_text(Image={"Bytes": wordmark}),
        requests,
    )
    with ThreadPoolExecutor(200) as threads:
        start = time.perf_counter()
        calls = [
            threads.submit(rekognition.detect_labels, Image={"Bytes": wordmark}) for _ in range(200)
        ]
        answered = sum(bool(call.result()["Labels"]) for call in calls)
        seconds = time.perf_counter() - start
    line("200 requests at once", f"{answered} answered in {seconds:.1f} s")
    worker = sum(map(proportional_set_size, emulator.workers()))
    line("memory of the worker after all of it", f"{worker:.0f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=40, help="calls per line, default 40")
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder:
        emulator = start_emulator(Path(folder))
        try:
            run(emulator, requests)
        finally:
            emulator.stop()


if __name__ == "__main__":
    main()

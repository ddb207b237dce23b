"""Whether many invocations leave anything behind: ``python -m bench.soak [--invocations N]``.

Through ``Invoke`` on the AWS port, with wrk as the client. Printed every so often: memory maps,
threads, descriptors and resident memory of LocalStack and of the engine. A process that keeps
something for each invocation grows; the first lines may, while caches fill.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from bench.servers import Server, create_function, trigger_stack

SILENT = "def handler(event, context):\n    return event\n"
_STEP_S = 10
_LUA = """
wrk.method = "POST"
wrk.body = "{}"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/x"
"""


def maps(process: psutil.Process) -> int:
    """Memory maps of a process; the kernel allows 65 530."""
    return len(Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8").splitlines())


def line(name: str, process: psutil.Process) -> str:
    """What a process holds now."""
    memory = process.memory_info().rss / 2**20
    return (
        f"{name:10} maps {maps(process):6}  threads {process.num_threads():4}"
        f"  descriptors {process.num_fds():4}  {memory:6.0f} MB"
    )


def processes(server: Server) -> dict[str, psutil.Process]:
    """LocalStack and the engine."""
    found = {}
    for one in [server.process, *server.process.children(recursive=True)]:
        command = " ".join(one.cmdline())
        if "trigger_stack_engine.engine" in command:
            found["engine"] = one
        elif "localstack" in command and "localstack" not in found:
            found["localstack"] = one
    return found


def requests(server: Server, connections: int) -> tuple[int, int]:
    """Invoke for some seconds; how many invocations there were, and how many failed."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_LUA)
        script.flush()
        url = f"http://127.0.0.1:{server.edge}/2015-03-31/functions/soak/invocations"
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{_STEP_S}s", "-s", script.name, url],
            capture_output=True,
            text=True,
            check=True,
        )
    total = re.search(r"(\d+) requests in", done.stdout)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    return int(total[1]) if total else 0, int(failed[1]) if failed else 0


def main() -> None:
    """Invoke and print; ends with code 1 when ``wrk`` is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--invocations", type=int, default=200_000)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing. Install it, for example: apt-get install wrk")
    with trigger_stack() as server:
        create_function(server.edge, "soak", SILENT)
        done = failed = 0
        while done < options.invocations:
            more, bad = requests(server, options.connections)
            done, failed = done + more, failed + bad
            print(f"{done:8} invocations, {failed} failed, {more / _STEP_S:.0f}/s", flush=True)
            for name, process in processes(server).items():
                print(f"         {line(name, process)}", flush=True)
    print(json.dumps({"invocations": done, "failed": failed}))


if __name__ == "__main__":
    main()

"""``bootstrap logs``, ``watch`` and ``debug``: the executor's own tools, on this stack's port."""

from __future__ import annotations

import subprocess
import sys

from bootstrap.settings import Settings


def run(tool: str, *arguments: str) -> int:
    """Run ``python -m lambda_process_executor.<tool>`` until it ends or is interrupted.

    Returns:
        Its exit code.
    """
    endpoint = Settings.from_environment().endpoint_url
    command = [sys.executable, "-m", f"lambda_process_executor.{tool}", "--endpoint", endpoint]
    try:
        return subprocess.run([*command, *arguments], check=False).returncode
    except KeyboardInterrupt:
        return 0

"""The isolation of functions from the machine, described for the log."""

from __future__ import annotations

import sys
from typing import Any


def describe_isolation(facts: dict[str, Any]) -> str:
    """One clause for the log: what separates functions from the machine."""
    memory = "sampled every 50 ms" if sys.platform == "linux" else "by what is mapped"
    parts = [f"process group and file limits; memory limit {memory}"]
    if facts["mounts"]:
        parts.append("own view of the file system (/var/task, /opt, /tmp)")
    else:
        parts.append(f"shared file system: {facts['why']}")
    parts.append("own user" if facts["users"] else "the emulator's user")
    return "; ".join(parts)

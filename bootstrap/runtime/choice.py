"""Which runtime to use, and why."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bootstrap.errors import WrongUseError


@dataclass(frozen=True)
class Choice:
    """``name`` is ``docker`` or ``native``; ``reason`` completes the sentence "…, because"."""

    name: str
    reason: str


def choose() -> Choice:
    """Read ``RUNTIME``, or see whether a Docker engine with Compose v2 answers.

    Raises:
        WrongUseError: ``RUNTIME`` is something else, or asks for an engine that is not there.
    """
    asked = os.environ.get("RUNTIME", "").strip()
    if asked not in ("", "docker", "native"):
        raise WrongUseError(f"RUNTIME={asked}: must be docker or native.")
    if asked == "native":
        return Choice("native", "RUNTIME=native asks for it")
    missing = docker_problem()
    if asked == "docker":
        if missing:
            raise WrongUseError(
                f"RUNTIME=docker: {missing}. Start an engine, or run: make up RUNTIME=native"
            )
        return Choice("docker", "RUNTIME=docker asks for it")
    if missing:
        return Choice("native", missing)
    return Choice("docker", "a Docker engine with Compose v2 answers")


def docker_problem() -> str | None:
    """Why Docker cannot be used, or None when it can."""
    if not Path("docker-compose.yml").exists():
        return "there is no docker-compose.yml"
    if shutil.which("docker") is None:
        return "there is no docker command"
    if not _answers("docker", "info", "--format", "{{.ServerVersion}}"):
        return "no Docker engine answers"
    if not _answers("docker", "compose", "version", "--short"):
        return "docker has no Compose v2"
    return None


def _answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False

"""Settings of the executor, read from environment variables once, when the plugin is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


class SettingError(Exception):
    """A setting has a value that cannot be used; the text names it and what to write."""


def _number(name: str, default: int, *, minimum: int = 0) -> int:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise SettingError(f"{name}={text!r}: write a whole number") from None
    if value < minimum:
        raise SettingError(f"{name}={text!r}: must be at least {minimum}")
    return value


def _flag(name: str, default: bool) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if not text:
        return default
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise SettingError(f"{name}={text!r}: write 1 or 0")


def runtimes_folder() -> Path:
    """The folder with ``python3.X/`` and Node.js's client."""
    setting = os.environ.get("LAMBDA_PROCESS_PYTHON_RUNTIMES", "").strip()
    return Path(setting or ".build/python-runtime").absolute()


@dataclass(frozen=True)
class Settings:
    """Everything that can be set; the README lists the variables and their defaults."""

    runtimes_dir: Path
    work_dir: Path
    zygote: bool
    init_timeout_s: int
    memory_mb: int
    max_environments: int
    log_linger_ms: int
    isolation: str
    user_id: int
    keep_alive_s: float = 600.0
    concurrency_limit: int = 1000
    retry_base_delay_s: int = 60
    journal_synchronous: bool = True
    journal_file: Path = Path("journal.sqlite")
    journal_max_age_s: float = 7 * 86_400.0
    journal_max_bytes: int = 512 * 1024 * 1024
    cloudfront_cache_bytes: int = 128 * 1024 * 1024

    @classmethod
    def from_environment(cls, default_work_dir: str) -> Settings:
        """Read the environment; ``default_work_dir`` is for ``LAMBDA_PROCESS_DIR``.

        Raises:
            SettingError: A variable's value cannot be used.
        """
        work = os.environ.get("LAMBDA_PROCESS_DIR", "").strip() or default_work_dir
        isolation = os.environ.get("LAMBDA_PROCESS_ISOLATION", "").strip().lower() or "auto"
        if isolation not in ("auto", "none"):
            raise SettingError(f"LAMBDA_PROCESS_ISOLATION={isolation!r}: write auto or none")
        return cls(
            runtimes_dir=runtimes_folder(),
            work_dir=Path(work).absolute() / f"run-{os.getpid()}",
            zygote=_flag("LAMBDA_PROCESS_ZYGOTE", default=True),
            init_timeout_s=_number("LAMBDA_PROCESS_INIT_TIMEOUT", 10, minimum=1),
            memory_mb=_number("LAMBDA_PROCESS_MEMORY_MB", 0),
            max_environments=_number("LAMBDA_PROCESS_MAX_ENVIRONMENTS", 0),
            log_linger_ms=_number("LAMBDA_PROCESS_LOG_LINGER_MS", 100),
            isolation=isolation,
            user_id=_number("LAMBDA_PROCESS_UID", 100_000, minimum=1),
            keep_alive_s=_number("LAMBDA_KEEPALIVE_MS", 600_000) / 1000,
            concurrency_limit=_number("LAMBDA_LIMITS_CONCURRENT_EXECUTIONS", 1000),
            retry_base_delay_s=_number("LAMBDA_RETRY_BASE_DELAY", 60),
            journal_synchronous=_flag("JOURNAL_SYNCHRONOUS", default=True),
            journal_file=Path(work).absolute() / "journal.sqlite",
            journal_max_age_s=_number("JOURNAL_MAX_AGE_HOURS", 168, minimum=1) * 3600.0,
            journal_max_bytes=_number("JOURNAL_MAX_MB", 512, minimum=1) * 1024 * 1024,
            cloudfront_cache_bytes=_number("CLOUDFRONT_CACHE_MB", 128, minimum=1) * 1024 * 1024,
        )

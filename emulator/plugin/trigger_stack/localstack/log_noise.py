"""Keeps warnings out of the log that are about LocalStack itself, and not about what somebody did.

What: filters on two of LocalStack's loggers.
Why: lists of rules and subscriptions have a line for each member that LocalStack's own model does
not know, hundreds after a minute; and each start warns of ``TMPDIR``, which LocalStack read before
version 1 and which the stack sets for other programs.
Until: LocalStack does not log these any longer.
Test: ``tests/unit/plugin/test_log_noise.py``.
"""

from __future__ import annotations

import logging

_UNKNOWN_MEMBER = "Response object %s contains a member which is not specified: %s"


def _is_no_unknown_member(record: logging.LogRecord) -> bool:
    return record.msg != _UNKNOWN_MEMBER


def _is_not_about_tmpdir(record: logging.LogRecord) -> bool:
    return not (isinstance(record.args, tuple) and record.args[:1] == ("TMPDIR",))


def keep_out() -> None:
    """Install the filters. Idempotent."""
    logging.getLogger("localstack.aws.protocol.serializer").addFilter(_is_no_unknown_member)
    logging.getLogger("localstack.deprecations").addFilter(_is_not_about_tmpdir)

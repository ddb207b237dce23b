"""The patches of LocalStack's topics are still needed."""

from __future__ import annotations

import inspect

from localstack.services.sns import publisher


def test_localstack_still_leaves_deduplication_to_queues() -> None:
    """When this fails, see whether its FIFO topics deduplicate by themselves."""
    source = inspect.getsource(publisher)

    assert "we still need to implement Message deduplication on the topic level" in source

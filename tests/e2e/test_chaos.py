"""`make chaos`: faults on purpose, for one function."""

from __future__ import annotations

import pytest
import requests

from tests.e2e.running import bootstrap


@pytest.mark.xdist_group("chaos")
def test_faults_begin_are_shown_and_end(aws, settings, cleanup):
    url = f"{settings.endpoint_url}/_trigger_stack/chaos"
    cleanup.callback(requests.put, url, json={}, timeout=60)

    begun = bootstrap("chaos", "--errors", "0.5", "--function", "no-function-of-this-name")

    assert begun.returncode == 0, begun.stderr
    assert "50% of invocations fail without running" in begun.stdout
    assert "'no-function-of-this-name'" in begun.stdout
    assert bootstrap("chaos").stdout == begun.stdout
    assert bootstrap("chaos", "--off").stdout.strip() == "no faults on purpose"


@pytest.mark.parametrize(
    "options",
    [["--errors", "2"], ["--kills", "often"], ["--function", "x"], ["--off", "--errors", "0.1"]],
)
def test_what_cannot_be_used_is_wrong_use(aws, options):
    assert bootstrap("chaos", *options).returncode == 2

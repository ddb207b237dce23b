"""What LocalStack lacks is said without asking its maker's server."""

from __future__ import annotations

import pytest
import requests
from localstack.aws.catalog_exceptions import get_service_availability_exception
from localstack.utils.catalog import catalog, plugins

from trigger_stack.localstack.support_catalog import OfflineCatalog


def test_nobody_is_asked_what_the_newest_release_supports(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(url: str, **_: object) -> None:
        pytest.fail(f"asked {url}")

    monkeypatch.setattr(requests, "post", ask)
    monkeypatch.setattr(requests, "get", ask)
    plugins.get_aws_catalog.clear()

    found = plugins.get_aws_catalog()

    assert isinstance(found, OfflineCatalog)
    status = found.get_aws_service_status("cognito-identity", "GetId")
    error = get_service_availability_exception("cognito-identity", "GetId", status)
    assert error.status_code == 501
    assert "cognito-identity" in error.message


def test_localstack_still_asks_without_a_time_limit() -> None:
    """When this fails, see whether LocalStack's own catalog does without network now."""
    assert catalog.AwsCatalogRemoteStatePlugin.__init__.__defaults__ == (None,)
    assert "api.localstack.cloud" in catalog.RemoteCatalogLoader.api_endpoint_catalog

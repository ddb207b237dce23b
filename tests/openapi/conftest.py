"""Fixtures around the running stack: those of the end-to-end tests."""

from tests.e2e.conftest import api, aws, brand_body, brand_id, cleanup, put_brand, settings

__all__ = ["api", "aws", "brand_body", "brand_id", "cleanup", "put_brand", "settings"]

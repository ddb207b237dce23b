"""Where short addresses of brands lead.

AWS documentation: CloudFront, "Generate HTTP responses in request triggers".
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from functions.shared.names import is_brand_id

PREFIX = "/b/"
_YEAR_S = 365 * 24 * 3600


def answer_for(uri: str, querystring: str) -> dict[str, Any] | None:
    """The response to a request, or None when it is not for a short address.

    Args:
        uri: Percent-encoded path: `/b/<brandId>`, perhaps with a slash at its end.
        querystring: Without `?`; it stays.

    Returns:
        A response of Lambda@Edge: 301 to `/brand/<brandId>`, or 404 when it names no brand.
    """
    if not uri.startswith(PREFIX):
        return None
    brand_id = unquote(uri.removeprefix(PREFIX)).removesuffix("/")
    if not is_brand_id(brand_id):
        problem = {"type": "about:blank", "title": "Not Found", "status": 404}
        return _response("404", "Not Found", "application/problem+json", json.dumps(problem))
    location = f"/brand/{brand_id}{f'?{querystring}' if querystring else ''}"
    response = _response("301", "Moved Permanently", "text/plain", location)
    response["headers"]["location"] = [{"key": "Location", "value": location}]
    response["headers"]["cache-control"] = [{"key": "Cache-Control", "value": f"max-age={_YEAR_S}"}]
    return response


def _response(status: str, description: str, content_type: str, body: str) -> dict[str, Any]:
    return {
        "status": status,
        "statusDescription": description,
        "headers": {"content-type": [{"key": "Content-Type", "value": content_type}]},
        "body": body,
    }

"""Lambda@Edge, viewer request for `/b/*`: lead short addresses of brands to the brands.

At the edge a function has no layers and no environment variables, so this is plain Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .redirect import answer_for

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer with a redirect, or with 404; whatever is not below `/b/` goes on as it is."""
    request: dict[str, Any] = event["Records"][0]["cf"]["request"]
    return answer_for(request["uri"], request["querystring"]) or request

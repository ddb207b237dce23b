"""The keys of user pools on LocalStack's port.

``GET /<pool id>/.well-known/jwks.json`` and ``…/openid-configuration``, as below
``https://cognito-idp.<region>.amazonaws.com`` on AWS.

What: routes at LocalStack's router.
Why: the open release has no user pools.
Until: as ``provider.py``.
Test: ``tests/e2e/test_admin_signin.py``.
"""

from __future__ import annotations

import json
from typing import Any

from localstack import config
from localstack.http import Request, Response, route

from trigger_stack.localstack.cognito.directory import MotoDirectory
from trigger_stack.services.cognito.tokens import Tokens, issuer

_POOL = '/<regex("[a-z0-9-]+_[0-9a-zA-Z]+"):pool_id>/.well-known'


class PoolRoutes:
    """Routes on the gateway.

    Args:
        directory: Knows the pools.
        tokens: Has their keys.
    """

    def __init__(self, directory: MotoDirectory, tokens: Tokens) -> None:
        self._directory = directory
        self._tokens = tokens

    @route(f"{_POOL}/jwks.json", methods=["GET"])
    def keys(self, request: Request, pool_id: str, **_: Any) -> Response:
        """``{"keys": [JSON Web Key]}``, or 404."""
        del request
        if not self._exists(pool_id):
            return _missing(pool_id)
        return _json(self._tokens.jwks(pool_id))

    @route(f"{_POOL}/openid-configuration", methods=["GET"])
    def configuration(self, request: Request, pool_id: str, **_: Any) -> Response:
        """The discovery document, or 404."""
        del request
        if not self._exists(pool_id):
            return _missing(pool_id)
        return _json(
            {
                "id_token_signing_alg_values_supported": ["RS256"],
                "issuer": issuer(pool_id),
                "jwks_uri": f"{config.external_service_url()}/{pool_id}/.well-known/jwks.json",
                "response_types_supported": ["code", "token"],
                "scopes_supported": ["openid", "email", "phone", "profile"],
                "subject_types_supported": ["public"],
            }
        )

    def _exists(self, pool_id: str) -> bool:
        return any(pool.id == pool_id for pool in self._directory.pools())


def _missing(pool_id: str) -> Response:
    return _json({"message": f"User pool {pool_id} does not exist."}, 404)


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")

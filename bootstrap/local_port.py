"""Which HTTP API the local port serves: the one of the project that came up last.

The door takes the API with the tag ``trigger-stack:local-port=true``, else the oldest
(docs/triggers/http-api.md). With one API there is nothing to say.
"""

from __future__ import annotations

import os

from bootstrap.services.base import Context
from bootstrap.template import Physical, Template

_TAG = "trigger-stack:local-port"


def give_to(template: Template, created: dict[str, Physical], context: Context) -> None:
    """Let the local port serve the HTTP API of ``template``, when it has one of several."""
    own = next(
        (
            created[name].ref
            for name, resource in template.resources.items()
            if resource.type == "AWS::ApiGatewayV2::Api" and name in created
        ),
        None,
    )
    if own is None or os.environ.get("HTTP_API_ID"):
        return
    gateway = context.client("apigatewayv2")
    apis = {api["ApiId"]: api for api in gateway.get_apis(MaxResults="500")["Items"]}
    if len(apis) < 2 or own not in apis:
        return
    for identity, api in apis.items():
        tagged = api.get("Tags", {}).get(_TAG) == "true"
        arn = f"arn:aws:apigateway:{context.settings.region}::/apis/{identity}"
        if identity == own and not tagged:
            gateway.tag_resource(ResourceArn=arn, Tags={_TAG: "true"})
        elif identity != own and tagged:
            gateway.untag_resource(ResourceArn=arn, TagKeys=[_TAG])

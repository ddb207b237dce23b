"""Requests of distributions to buckets, for the engine.

What: a request goes through LocalStack's own gateway inside its process, after the bucket's policy
and access control lists were asked whether the distribution may.
Why: objects are LocalStack's, and LocalStack asks no policy, and ends in an internal error where
S3 says that it does not take a method.
Until: LocalStack enforces bucket policies, and the engine has objects of its own.
Test: ``tests/engine/test_cloudfront.py::test_a_bucket_must_let_the_distribution_read``.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from localstack import config
from localstack.http import Request, Response
from localstack.runtime import get_current_runtime
from localstack.services.s3.models import S3Bucket, s3_stores
from werkzeug.datastructures import Headers

from trigger_stack.services.cloudfront.bucket_access import Asker, may
from trigger_stack_engine.front_doors.cloudfront.origins import MAX_RESPONSE_BYTES
from trigger_stack_engine.front_doors.core.sent_headers import received_headers
from trigger_stack_engine.wire import Header, Message, RemoteError

LOG = logging.getLogger(__name__)
#: Parameters of the operations that take a POST to an object.
_POSTED = ("uploads", "uploadId", "select", "restore")
_EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"


def answer(header: Header, body: bytes) -> Message:
    """Answer a request.

    Args:
        header: ``{bucket, website, access, identity, distribution, request}``; see the engine's
            ``Origins``. ``request`` has the fields of its ``HttpRequest``.
        body: The request's body.

    Returns:
        ``{status, headers}`` and the response's body.

    Raises:
        RemoteError: The object is too large to be handed over.
    """
    fields, name = header["request"], header["bucket"]
    if not _is_taken(fields, website=header["website"]):
        return _not_allowed(fields["method"], website=header["website"])
    bucket = _find(name)
    if bucket is not None:
        asker = _asker(header)
        path = fields["raw_path"]
        if header["website"] and path.endswith("/"):
            path += "index.html"  # or whatever its index document is called
        refused = _refusal(bucket, fields["method"], path, asker)
        if refused:
            LOG.warning("CloudFront: the bucket %s does not let %s %s", name, asker, refused)
            return _error(403, "AccessDenied", "Access Denied")
    status, headers, content = _ask(header, body)
    if status != 404 or bucket is None or header["website"]:
        return {"status": status, "headers": headers}, content
    # Who may not list a bucket is not told what is not there.
    if not _allowed(bucket, "s3:listbucket", bucket.bucket_arn, _asker(header)):
        LOG.warning(
            "CloudFront: there is no %s in the bucket %s; without s3:ListBucket that is 403",
            *(fields["raw_path"], name),
        )
        return _error(403, "AccessDenied", "Access Denied")
    return {"status": status, "headers": headers}, content


def _is_taken(fields: dict[str, Any], *, website: bool) -> bool:
    """Whether S3 has an operation for the method; LocalStack ends in an internal error if not."""
    method, path = fields["method"], fields["raw_path"]
    if website:
        return method in ("GET", "HEAD", "OPTIONS")
    if method != "POST" or path == "/":
        return bool(method != "PATCH")
    names = {part.partition("=")[0] for part in fields["raw_query"].split("&")}
    return not names.isdisjoint(_POSTED)


def _not_allowed(method: str, *, website: bool) -> Message:
    message = "The specified method is not allowed against this resource."
    if website:
        code = "<li>Code: MethodNotAllowed</li>"
        text = (
            "<html>\n<head><title>405 Method Not Allowed</title></head>\n<body>\n"
            f"<h1>405 Method Not Allowed</h1>\n<ul>\n{code}\n<li>Message: {message}</li>\n"
            f"<li>Method: {method}</li>\n<li>ResourceType: OBJECT</li>\n</ul>\n<hr/>\n</body>\n"
            "</html>\n"
        )
        headers = [["Content-Type", "text/html; charset=utf-8"], ["Server", "AmazonS3"]]
        return {"status": 405, "headers": headers}, text.encode()
    more = f"<Method>{method}</Method><ResourceType>OBJECT</ResourceType>"
    return _error(405, "MethodNotAllowed", message, more)


def _ask(header: Header, body: bytes) -> tuple[int, list[list[str]], bytes]:
    """Send a request through LocalStack's gateway."""
    fields = header["request"]
    kind = "s3-website" if header["website"] else "s3"
    host = f"{header['bucket']}.{kind}.localhost.localstack.cloud:{config.GATEWAY_LISTEN[0].port}"
    names = ("host", "authorization", "x-amz-date", "x-amz-content-sha256", "content-length")
    headers = Headers([(k, v) for k, v in fields["headers"] if k.lower() not in names])
    headers["Host"] = host
    request = Request(
        fields["method"],
        path=fields["raw_path"],
        raw_path=fields["raw_path"],
        headers=headers,
        query_string=fields["raw_query"],
        body=body,
        scheme="http",
        remote_addr=fields["source_ip"],
        server=(host.partition(":")[0], config.GATEWAY_LISTEN[0].port),
    )
    response = Response()
    get_current_runtime().components.gateway.process(request, response)
    found = [[name, value] for name, value in received_headers(response.headers.items())]
    found = [one for one in found if one[0].lower() not in ("server", "x-localstack")]
    found.append(["Server", "AmazonS3"])
    try:
        size = response.headers.get("Content-Length", type=int) or 0
        if size > MAX_RESPONSE_BYTES and fields["method"] != "HEAD":
            limit = MAX_RESPONSE_BYTES // 1024 // 1024
            raise RemoteError("TooLarge", f"the object has {size} bytes, more than {limit} MB")
        return response.status_code, found, response.get_data()
    finally:
        response.close()  # an object stays locked for writers until then


def _find(name: str) -> S3Bucket | None:
    for _, _, store in s3_stores.iter_stores():
        if name in store.buckets:
            bucket: S3Bucket = store.buckets[name]
            return bucket
    return None


def _asker(header: Header) -> Asker:
    access = header["access"]
    identity = header["identity"] if access == "identity" else ""
    user = ""
    if identity:
        from trigger_stack.localstack.cloudfront.provider import accounts

        for account in accounts.all():
            known = account.items.get("CloudFrontOriginAccessIdentity", {}).get(identity)
            user = known.canonical_user if known else user
    return Asker(access, header["distribution"], identity, user)


_ACTIONS = {"GET": "s3:getobject", "HEAD": "s3:getobject", "DELETE": "s3:deleteobject"}


def _refusal(bucket: S3Bucket, method: str, raw_path: str, asker: Asker) -> str | None:
    """What a distribution may not do, or ``None``."""
    if method == "OPTIONS":
        return None
    from urllib.parse import unquote

    key = unquote(raw_path.lstrip("/"))
    action = _ACTIONS.get(method, "s3:putobject")
    if not key and action == "s3:getobject":
        action, resource = "s3:listbucket", bucket.bucket_arn
    else:
        resource = f"{bucket.bucket_arn}/{key}"
    if _allowed(bucket, action, resource, asker):
        return None
    if action == "s3:getobject" and _is_public(bucket, key):
        return None
    return f"{action} {resource}"


def _allowed(bucket: S3Bucket, action: str, resource: str, asker: Asker) -> bool:
    policy = bucket.policy
    document: dict[str, Any] = json.loads(policy) if policy else {}
    statements = document.get("Statement") or []
    if isinstance(statements, dict):
        statements = [statements]
    return may(statements, action, resource, asker)


def _is_public(bucket: S3Bucket, key: str) -> bool:
    """Whether an access control list lets everybody read an object."""
    found = bucket.objects.get(key)
    grants = (getattr(found, "acl", None) or {}).get("Grants") or []
    return any(
        (grant.get("Grantee") or {}).get("URI") == _EVERYBODY
        and grant.get("Permission") in ("READ", "FULL_CONTROL")
        for grant in grants
    )


def _error(status: int, code: str, message: str, more: str = "") -> Message:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    )
    headers = [["Content-Type", "application/xml"], ["Server", "AmazonS3"]]
    return {"status": status, "headers": headers}, text.encode()

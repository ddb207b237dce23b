"""Logical ids as the Serverless Framework gives them.

Kept in step with the framework by a test that packages ``serverless.yml`` with it and compares.
"""

from __future__ import annotations

import hashlib
import re

#: The execution role that all functions share.
ROLE_ID = "IamRoleLambdaExecution"


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def normalized(name: str) -> str:
    """``get_brand`` → ``GetUnderscorebrand``."""
    return _upper_first(name.replace("-", "Dash").replace("_", "Underscore"))


def alphanumeric(name: str) -> str:
    """``brand-assets`` → ``Brandassets``."""
    return _upper_first(re.sub(r"[^0-9A-Za-z]", "", name))


def function_id(key: str) -> str:
    """Logical id of a function."""
    return f"{normalized(key)}LambdaFunction"


def layer_id(key: str) -> str:
    """Logical id of a layer."""
    return f"{normalized(key)}LambdaLayer"


def log_group_id(key: str) -> str:
    """Logical id of a function's log group."""
    return f"{normalized(key)}LogGroup"


def bucket_id(key: str) -> str:
    """Logical id of a bucket that an event names."""
    return f"S3Bucket{alphanumeric(key)}"


def user_pool_id(name: str) -> str:
    """Logical id of a user pool that an event names."""
    return f"CognitoUserPool{alphanumeric(name)}"


def event_bus_id(name: str) -> str:
    """Logical id of an event bus that an event names."""
    return f"{normalized(name)}EventBridgeEventBus"


def http_route_id(method: str, path: str) -> str:
    """``GET /brand/{brandId}`` → ``HttpApiRouteGetBrandBrandidVar``."""
    parts = [_path_part(part) for part in path.strip("/").split("/") if part]
    verb = "Any" if method == "*" else method.capitalize()
    return f"HttpApiRoute{verb}{''.join(parts)}"


def rest_resource_id(path: str) -> str:
    """``brand/{brandId}`` → ``ApiGatewayResourceBrandBrandidVar``."""
    return f"ApiGatewayResource{_path_parts(path)}"


def rest_method_id(path: str, method: str) -> str:
    """``brand/{brandId}``, ``get`` → ``ApiGatewayMethodBrandBrandidVarGet``."""
    return f"ApiGatewayMethod{_path_parts(path)}{method.capitalize()}"


def content_type(name: str) -> str:
    """``application/json`` → ``ApplicationJson``."""
    return "".join(alphanumeric(part) for part in re.split(r"[/.+-]", name))


def generated(stack: str, logical_id: str) -> str:
    """The physical name, of 64 characters at most, of a resource that the file gives none.

    CloudFormation takes a name that begins alike, and makes it unique by chance.
    """
    name = f"{stack}-{logical_id}"
    if len(name) <= 64:
        return name
    return f"{name[:31]}-{hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()}"


def _path_parts(path: str) -> str:
    return "".join(_path_part(part) for part in path.split("/") if part)


def _path_part(part: str) -> str:
    words = part.lower().replace("-", "Dash")
    return alphanumeric(re.sub(r"\{(.*)\}", r"\1Var", words))

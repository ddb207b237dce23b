"""Cookies by which a client stays with the target group that it got first.

AWS topic: User Guide for Application Load Balancers, "Sticky sessions for your Application Load
Balancer", target group stickiness. The value of the cookie is the service's own business.
"""

from __future__ import annotations

import hashlib
import time
from email.utils import formatdate
from typing import Final

from trigger_stack_engine.front_doors.core.event_parts import split_cookies
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest
from trigger_stack_engine.front_doors.load_balancer.rules import Action

COOKIE: Final = "AWSALBTG"
CROSS_SITE_COOKIE: Final = "AWSALBTGCORS"


def _value(group_arn: str) -> str:
    return hashlib.blake2b(group_arn.encode(), digest_size=16).hexdigest()


def sticky_target_group(action: Action, request: HttpRequest) -> str | None:
    """The target group that a request's cookie names, if the action still has it."""
    if action.sticky_s is None:
        return None
    sent = dict(cookie.partition("=")[::2] for cookie in split_cookies(request))
    wanted = sent.get(COOKIE) or sent.get(CROSS_SITE_COOKIE)
    return next((arn for arn, _ in action.forward_to if _value(arn) == wanted), None)


def sticky_cookies(action: Action, group_arn: str) -> Headers:
    """The headers by which a client stays; none when it need not."""
    if action.sticky_s is None or len(action.forward_to) < 2:
        return []
    expires = formatdate(time.time() + action.sticky_s, usegmt=True)
    value = f"{_value(group_arn)}; Expires={expires}; Path=/"
    return [
        ("set-cookie", f"{COOKIE}={value}"),
        ("set-cookie", f"{CROSS_SITE_COOKIE}={value}; SameSite=None"),
    ]

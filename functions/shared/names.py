"""The syntax of brand ids and mail addresses, for every function that takes one."""

import re

_BRAND_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
# One plain ASCII address: no display name, no list, nothing that could end a mail header.
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", re.ASCII
)
_EMAIL_MAX = 254  # RFC 5321, 4.5.3.1.3: a path is at most 256 characters with its brackets


def is_brand_id(value: object) -> bool:
    """Whether `value` is a brand id: lower-case letters, digits and `-`, at most 63 characters."""
    return isinstance(value, str) and _BRAND_ID.fullmatch(value) is not None


def is_email(value: object) -> bool:
    """Whether `value` is one mail address that SES would accept as a destination."""
    return isinstance(value, str) and len(value) <= _EMAIL_MAX and bool(_EMAIL.fullmatch(value))

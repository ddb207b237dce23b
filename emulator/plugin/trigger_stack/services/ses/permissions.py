"""Whether a resource's policy lets SES use it for a receipt rule.

AWS topic: Amazon SES Developer Guide, "Giving permissions to Amazon SES for email receiving".
"""

from __future__ import annotations

import json

from trigger_stack_engine.front_doors.core.policy import allows, covers, names

_SES = ("ses.amazonaws.com",)


def may(policy: str | None, action: str, resource: str, rule_arn: str) -> bool:
    """Whether a policy allows SES an action.

    Args:
        policy: JSON text of a resource-based policy, or None.
        action: For example ``s3:PutObject``.
        resource: ARN of what it is done to.
        rule_arn: ARN of the receipt rule that asks.
    """
    statements = json.loads(policy or "{}").get("Statement") or []
    wanted = action.lower()
    about = [
        {**one, "Action": wanted}
        for one in (statements if isinstance(statements, list) else [statements])
        if covers(one, resource) and names(one, wanted)
    ]
    keys = {
        "aws:sourcearn": rule_arn,
        "aws:sourceaccount": rule_arn.split(":")[4],
        # What SES said before it had these keys; policies of that time go on working.
        "aws:referer": rule_arn.split(":")[4],
    }
    return allows(about, action=wanted, principals=_SES, keys=keys)

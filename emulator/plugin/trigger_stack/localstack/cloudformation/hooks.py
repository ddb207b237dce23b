"""A stack with a resource type that cannot be made fails, by name.

What: LocalStack's setting ``CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES`` is off unless it is set.
Why: by default LocalStack says CREATE_COMPLETE for types that it does not know and makes nothing:
whoever relied on such a resource would lose events without a word.
Until: LocalStack's default changes, which it announces.
Test: ``tests/delivery/test_cloudformation.py``.
"""

from __future__ import annotations

import os

from localstack import config
from localstack.runtime import hooks

_SETTING = "CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES"


@hooks.on_infra_start()
def prepare_cloudformation() -> None:
    """Runs before the first stack can be created."""
    from trigger_stack.localstack.cloudformation.addresses import give_reachable_addresses
    from trigger_stack.localstack.cloudformation.descriptions import describe_what_is_there
    from trigger_stack.localstack.cloudformation.failures import let_failed_updates_fail
    from trigger_stack.localstack.cloudformation.left_out import set_what_providers_leave_out
    from trigger_stack.localstack.cloudformation.order import make_first_what_depends_on_nothing
    from trigger_stack.localstack.cloudformation.replacements import replace_only_what_has_changed
    from trigger_stack.localstack.cloudformation.resources import give_every_resource_properties
    from trigger_stack.localstack.cloudformation.updates import change_what_providers_do_not

    give_reachable_addresses()
    give_every_resource_properties()
    make_first_what_depends_on_nothing()
    replace_only_what_has_changed()
    change_what_providers_do_not()
    set_what_providers_leave_out()
    let_failed_updates_fail()
    describe_what_is_there()
    if not os.environ.get(_SETTING):
        config.CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES = False

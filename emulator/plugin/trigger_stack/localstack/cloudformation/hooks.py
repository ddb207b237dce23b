"""A stack with a resource type that cannot be made fails, by name.

What: LocalStack's setting ``CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES`` is off unless it is set; a
provider ``cloudformation:prepared`` (extension point ``localstack.aws.provider``), the default:
LocalStack's own, behind the patches of this package.
Why: by default LocalStack says CREATE_COMPLETE for types that it does not know and makes nothing:
whoever relied on such a resource would lose events without a word. To import what the patches are
for takes a quarter of the emulator's start, and most stacks never ask CloudFormation for anything.
Until: LocalStack's default changes, which it announces.
Test: ``tests/delivery/test_cloudformation.py``,
``tests/unit/plugin/test_cloudformation_patches.py::test_the_start_does_not_import_cloudformation``.
"""

from __future__ import annotations

import os

from localstack import config
from localstack.runtime import hooks
from localstack.services.plugins import Service, aws_provider

_SETTING = "CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES"


@hooks.on_infra_start(priority=800)
def choose_prepared_stacks() -> None:
    """Use this provider unless a setting names another one."""
    config.SERVICE_PROVIDER_CONFIG.set_provider_if_not_exists("cloudformation", "prepared")
    if not os.environ.get(_SETTING):
        config.CFN_IGNORE_UNSUPPORTED_RESOURCE_TYPES = False


@aws_provider(api="cloudformation", name="prepared")
def cloudformation() -> Service:
    """LocalStack's provider behind our patches."""
    from trigger_stack.localstack.cloudformation.late_sam import imported_later

    with imported_later():
        from localstack.services.cloudformation.v2.provider import CloudformationProviderV2

        _patch()
    return Service.for_provider(CloudformationProviderV2())


def _patch() -> None:
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

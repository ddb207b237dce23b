"""What is added to LocalStack's SES is still needed."""

from __future__ import annotations

from localstack.services.plugins import SERVICE_PLUGINS
from localstack.services.providers import ses as localstack_ses
from localstack.services.ses.provider import SesProvider
from moto.ses.models import SESBackend
from moto.ses.responses import EmailResponse

from trigger_stack.localstack.mail.provider import _OPERATIONS, create_service

MISSING = {"delete_receipt_rule", "reorder_receipt_rule_set", "set_receipt_rule_position"}


def test_localstack_still_lacks_operations_on_receipt_rules() -> None:
    """When one of these fails, see what our provider still adds."""
    for name in (*MISSING, "send_bounce"):
        assert not hasattr(SESBackend, name), name
        assert not hasattr(EmailResponse, name), name
        assert name not in vars(SesProvider), name


def test_localstack_still_takes_rules_without_a_look_at_what_they_use() -> None:
    original = SESBackend._validate_receipt_rule_actions
    try:
        SesProvider()._apply_patches()
        backend = SESBackend("us-east-1", "000000000000")
        backend.create_receipt_rule_set("set")
        actions = [{"S3Action": {"BucketName": "there-is-none"}}]
        backend.create_receipt_rule("set", {"Name": "one", "Actions": actions}, None)
    finally:
        SESBackend._validate_receipt_rule_actions = original  # type: ignore[method-assign]  # as it was


def test_the_rules_of_a_clone_are_still_the_originals() -> None:
    original = SESBackend._validate_receipt_rule_actions
    SESBackend._validate_receipt_rule_actions = lambda *_: None  # type: ignore[method-assign]  # no bucket
    try:
        backend = SESBackend("us-east-1", "000000000000")
        backend.create_receipt_rule_set("set")
        backend.create_receipt_rule("set", {"Name": "one", "Actions": []}, None)
        rule = backend.describe_receipt_rule_set("set").rules[0]
        backend.create_receipt_rule_set("clone")
        backend.create_receipt_rule("clone", rule, None)  # as LocalStack's provider does
        assert backend.describe_receipt_rule_set("clone").rules[0] is rule
    finally:
        SESBackend._validate_receipt_rule_actions = original  # type: ignore[method-assign]  # as it was


def test_the_open_release_still_has_no_version_2() -> None:
    providers = SERVICE_PLUGINS.api_provider_specs.get("sesv2", [])
    assert set(providers) <= {"default"}, providers
    import localstack.services.providers as own

    assert not hasattr(own, "sesv2")
    assert localstack_ses is not None


def test_our_operations_replace_localstacks() -> None:
    table = create_service().skeleton.dispatch_table
    for name, operation in _OPERATIONS.items():
        assert table[name] is operation
    assert "SendEmail" in table

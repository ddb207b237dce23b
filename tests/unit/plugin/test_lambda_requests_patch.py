"""Each fails when LocalStack does what the stack does in its place."""

from __future__ import annotations

import inspect

from localstack.aws.api.apigateway import ApigatewayApi
from localstack.aws.api.lambda_ import LambdaApi
from localstack.services.apigateway.next_gen.provider import ApigatewayNextGenProvider
from localstack.services.lambda_.provider import LambdaProvider
from localstack.services.s3.notifications import SqsNotifier


def test_localstack_still_takes_any_kind_of_invocation_time_out_and_image() -> None:
    assert "invocation_type not in" not in inspect.getsource(LambdaProvider.invoke)
    source = inspect.getsource(LambdaProvider.create_function)
    assert '"MemorySize", LAMBDA_DEFAULT_MEMORY_SIZE)' in source
    assert "900" not in source
    assert "create_image_code(" in source
    assert "CodeSigningConfigArn" not in source
    assert 'request.get("DeadLetterConfig", {}).get("TargetArn")' in source


def test_localstack_still_lacks_streamed_responses() -> None:
    assert LambdaProvider.invoke_with_response_stream is LambdaApi.invoke_with_response_stream, (
        "LocalStack has the operation"
    )


def test_localstack_still_changes_the_code_in_a_dry_run() -> None:
    assert "DryRun" not in inspect.getsource(LambdaProvider.update_function_code)


def test_localstack_still_deletes_a_version_of_an_alias() -> None:
    assert ".aliases" not in inspect.getsource(LambdaProvider.delete_function)


def test_localstack_still_has_no_marker_of_versions_and_of_layers() -> None:
    versions = inspect.getsource(LambdaProvider.list_versions_by_function)
    assert "lambda item: item," in versions
    provisioned = inspect.getsource(LambdaProvider.list_provisioned_concurrency_configs)
    assert "lambda x: x," in provisioned
    layers = inspect.getsource(LambdaProvider.list_layers)
    assert "layer_versions[-1]" in layers
    assert "TODO: handle filter: compatible_runtime" in layers


def test_localstack_still_lacks_usage_and_removes_no_settings_of_one_method() -> None:
    assert ApigatewayNextGenProvider.get_usage is ApigatewayApi.get_usage
    source = inspect.getsource(ApigatewayNextGenProvider.update_stage)
    assert 'patch_path_stripped == "*/*" and patch_op == "remove"' in source


def test_localstack_still_notifies_fifo_queues() -> None:
    assert "fifo" not in inspect.getsource(SqsNotifier).lower()


def test_localstack_still_leaves_the_organization_out_of_a_layers_policy() -> None:
    for operation in (
        LambdaProvider.add_layer_version_permission,
        LambdaProvider.get_layer_version_policy,
    ):
        assert "PrincipalOrgID" not in inspect.getsource(operation)

"""What LocalStack says about services that it lacks, without asking its maker's server.

What: a plug-in at LocalStack's extension point ``localstack.utils.catalog``, under the name that
LocalStack prefers to its own.
Why: for each emulator's first request of a service or an operation that it lacks, LocalStack
fetches a list of what its newest release supports, with no time limit. A stack that runs on one
machine must not depend on that, and must not send requests to anybody.
Until: LocalStack asks only when a setting allows it.
Test: ``tests/unit/plugin/test_support_catalog.py``.
"""

from localstack.utils.catalog.catalog import (
    AwsCatalogRuntimePlugin,
    CfnResourceSupportStatus,
)
from localstack.utils.catalog.common import (
    AwsServicesSupportInLatest,
    CloudFormationResourcesSupportAtRuntime,
)


class OfflineCatalog(AwsCatalogRuntimePlugin):
    """Knows of this release only: such a request is answered with 501 ``InternalFailure``."""

    name = "aws-catalog-remote-state-with-license"

    def get_cloudformation_resource_status(
        self, resource_name: str, service_name: str, is_pro_resource: bool = False
    ) -> CfnResourceSupportStatus | AwsServicesSupportInLatest | None:
        """A type is available when there is a plugin for it; LocalStack's own list is empty.

        Args:
            resource_name: The type, such as ``AWS::SQS::Queue``.
            service_name: Of its service.
            is_pro_resource: Whether there is no plugin of that name.
        """
        if resource_name.startswith("Custom::") or not is_pro_resource:
            return CloudFormationResourcesSupportAtRuntime.AVAILABLE
        return super().get_cloudformation_resource_status(
            resource_name, service_name, is_pro_resource
        )

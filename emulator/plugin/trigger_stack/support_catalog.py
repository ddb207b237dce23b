"""What LocalStack says about services that it lacks, without asking its maker's server.

For each emulator's first request of a service or an operation that it lacks, LocalStack fetches a
list of what its newest release supports, with no time limit. Nothing of a stack that runs on one
machine may depend on that, nor tell anybody. LocalStack prefers a plug-in of this name to its own.
"""

from localstack.utils.catalog.catalog import AwsCatalogRuntimePlugin


class OfflineCatalog(AwsCatalogRuntimePlugin):
    """Knows of this release only: such a request is answered with 501 ``InternalFailure``."""

    name = "aws-catalog-remote-state-with-license"

"""Amazon ECR without repositories: this stack runs no container images.

What: a provider ``ecr`` at LocalStack's extension point ``localstack.aws.provider`` with the one
operation that deployment tools ask for.
Why: LocalStack's open release has no ECR. The Serverless Framework asks for its repository when it
removes a service, and gives up on any other answer than that there is none.
Until: LocalStack's open release has ``ecr``.
Test: ``tests/tools/test_osls_deploy.py``.
"""

from __future__ import annotations

from localstack.services.plugins import Service

from trigger_stack.localstack.aws_service import dispatch_table
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Answer, Caller, Request, operation


class Registry:
    """The registry of an account.

    AWS topic: Amazon ECR API Reference, "DescribeRepositories".
    """

    service = "ecr"

    @operation("DescribeRepositories")
    def describe_repositories(self, caller: Caller, request: Request) -> Answer:
        """None.

        Raises:
            ServiceError: The caller names some.
        """
        names = request.get("repositoryNames") or []
        if names:
            registry = request.get("registryId") or caller.account_id
            raise ServiceError(
                "RepositoryNotFoundException",
                f"The repository with name '{names[0]}' does not exist in the registry with id"
                f" '{registry}'",
            )
        return {"repositories": []}


def create_service() -> Service:
    """The service for LocalStack's ``localstack.aws.provider`` entry point."""
    registry = Registry()
    return Service.for_provider(registry, dispatch_table_factory=dispatch_table)

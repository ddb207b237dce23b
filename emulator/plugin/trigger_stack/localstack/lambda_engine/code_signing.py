"""A code signing configuration that enforces signatures refuses code.

What: ``operations.py`` asks here before ``CreateFunction`` and ``UpdateFunctionCode``.
Why: LocalStack stores the policy and takes every package. This stack has no AWS Signer, so that no
package can be found to be signed by an allowed publisher.
Until: LocalStack checks signatures.
Test: ``tests/engine/test_older_operations.py``;
``tests/unit/plugin/test_older_operations_patch.py`` fails when LocalStack refuses such code.

AWS topics: AWS Lambda Developer Guide, "Using code signing to verify code integrity with Lambda"
("Signature validation": with ``Enforce`` a deployment whose check fails is blocked); the text is
that of AWS's own answers, as AWS's samples and blog show it.
"""

from __future__ import annotations

from typing import Any, Final

from localstack.aws.api.lambda_ import CodeVerificationFailedException

_ENFORCE: Final = "Enforce"


def check(configuration: Any, function_arn: str) -> None:
    """Refuse code for a function.

    Args:
        configuration: LocalStack's ``CodeSigningConfig`` of the function; ``None``: it has none.
        function_arn: The function.

    Raises:
        CodeVerificationFailedException: The configuration enforces signatures.
    """
    policies = (configuration.policies if configuration is not None else None) or {}
    if policies.get("UntrustedArtifactOnDeployment") == _ENFORCE:
        raise CodeVerificationFailedException(
            "Lambda cannot deploy the function. The function or layer might be signed using a"
            " signature that the client is not configured to accept. Check the provided signature"
            f" for {function_arn}.",
            Type="User",
        )

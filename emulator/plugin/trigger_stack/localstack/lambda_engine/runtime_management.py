"""When a version's runtime is updated: ``PutRuntimeManagementConfig`` and its counterpart.

What: ``operations.py`` puts both operations into the dispatch table of LocalStack's Lambda service.
What was said is kept with the function, for each of its versions. Functions run in the runtime of
this machine, whatever it says.
Why: LocalStack answers 501 for them.
Until: LocalStack has them.
Test: ``tests/engine/test_older_operations.py``;
``tests/unit/plugin/test_older_operations_patch.py`` fails when LocalStack has them.

AWS topics: AWS Lambda API Reference, "PutRuntimeManagementConfig" and "GetRuntimeManagementConfig";
Developer Guide, "Configuring Lambda runtime management settings". No text of AWS is recorded for
``Manual`` without a runtime version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from localstack.aws.api.lambda_ import InvalidParameterValueException
from localstack.services.lambda_ import api_utils
from localstack.services.lambda_.provider_utils import get_function_version

from trigger_stack.localstack.lambda_engine.versions import find_function

_AUTO: Final = "Auto"
_MANUAL: Final = "Manual"
#: Where the settings are kept, on LocalStack's own object of a function, which ends with it.
_ATTRIBUTE: Final = "_trigger_stack_runtime_management"

type _Settings = dict[str, tuple[str, str | None]]


def put(context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """Set the mode of a version; without a qualifier of ``$LATEST``."""
    settings, version, arn = _find(context, request)
    mode, runtime = request["UpdateRuntimeOn"], request.get("RuntimeVersionArn")
    if mode == _MANUAL and not runtime:
        raise InvalidParameterValueException(
            "RuntimeVersionArn is required when UpdateRuntimeOn is Manual.", Type="User"
        )
    settings[version] = (mode, runtime if mode == _MANUAL else None)
    return _described(settings, version, arn)


def get(context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """The mode of a version: ``Auto`` when nobody has set it."""
    return _described(*_find(context, request))


def _find(context: Any, request: Mapping[str, Any]) -> tuple[_Settings, str, str]:
    """The settings of a function, the version that is meant, and its ARN as it was asked for.

    Raises:
        ResourceNotFoundException: There is no such version.
    """
    account, region = api_utils.get_account_and_region(request["FunctionName"], context)
    name, qualifier = api_utils.get_name_and_qualifier(
        request["FunctionName"], request.get("Qualifier"), context
    )
    get_function_version(name, qualifier, account_id=account, region=region)
    function = find_function(account, region, name)
    settings: _Settings = vars(function).setdefault(_ATTRIBUTE, {})
    arn = api_utils.lambda_arn(
        function_name=name, qualifier=qualifier, account=account, region=region
    )
    return settings, qualifier or "$LATEST", arn


def _described(settings: _Settings, version: str, arn: str) -> dict[str, Any]:
    mode, runtime = settings.get(version, (_AUTO, None))
    described = {"UpdateRuntimeOn": mode, "FunctionArn": arn}
    return described if runtime is None else {**described, "RuntimeVersionArn": runtime}

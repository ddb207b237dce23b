"""Where LocalStack starts and stops the data plane (entry points in ``pyproject.toml``)."""

from __future__ import annotations

from localstack import config
from localstack.aws.handlers import preprocess_request
from localstack.runtime.exceptions import LocalstackExit
from localstack.runtime.hooks import on_infra_shutdown, on_infra_start

from trigger_stack.apigatewayv2.edge import EdgeHandler
from trigger_stack.apigatewayv2.execute import DataPlane
from trigger_stack.apigatewayv2.http_proxy import HttpProxy
from trigger_stack.apigatewayv2.invoker import LambdaInvoker
from trigger_stack.apigatewayv2.listener import HttpApiListener, ListenError
from trigger_stack.apigatewayv2.settings import InvalidSettingError, Settings
from trigger_stack.apigatewayv2.workers import WorkerPool

# Before the hooks that start other programs: an emulator that cannot have its port ends at once
# and leaves nothing behind.
_FIRST = 1000


class _Running:
    """What the start hook made and the shutdown hook ends."""

    listener: HttpApiListener | None = None


@on_infra_start(priority=_FIRST)
def start_http_apis() -> None:
    """Put HTTP APIs on the edge port and on their own port.

    :raises LocalstackExit: ends the emulator with code 1 and a sentence, when a setting is wrong
        or the port cannot be bound
    """
    try:
        settings = Settings.from_environment(config.GATEWAY_LISTEN[0].port)
        data_plane = DataPlane(LambdaInvoker(), HttpProxy(), WorkerPool(settings.max_concurrency))
        if settings.port:
            _Running.listener = _listen(settings, data_plane)
    except (InvalidSettingError, ListenError) as error:
        raise LocalstackExit(str(error), code=1) from None
    preprocess_request.append(EdgeHandler(data_plane))


def _listen(settings: Settings, data_plane: DataPlane) -> HttpApiListener:
    if config.GATEWAY_SERVER == "hypercorn":
        raise ListenError("The local HTTP API needs twisted: it cannot serve beside hypercorn.")
    listener = HttpApiListener(settings, data_plane)
    listener.start()
    return listener


@on_infra_shutdown()
def close_http_api_port() -> None:
    """Take no further requests."""
    if _Running.listener is not None:
        _Running.listener.stop()

"""Where LocalStack starts and stops the data plane (entry points in ``pyproject.toml``)."""

from __future__ import annotations

import logging

from localstack import config
from localstack.aws.handlers import preprocess_request
from localstack.runtime import get_current_runtime
from localstack.runtime.hooks import on_infra_ready, on_infra_shutdown, on_infra_start

from trigger_stack.apigatewayv2.edge import EdgeHandler
from trigger_stack.apigatewayv2.execute import DataPlane
from trigger_stack.apigatewayv2.http_proxy import HttpProxy
from trigger_stack.apigatewayv2.invoker import LambdaInvoker
from trigger_stack.apigatewayv2.listener import HttpApiListener, ListenError
from trigger_stack.apigatewayv2.settings import InvalidSettingError, Settings
from trigger_stack.apigatewayv2.workers import WorkerPool

LOG = logging.getLogger(__name__)


class _Running:
    """What the start hook made and the other hooks need."""

    listener: HttpApiListener | None = None


@on_infra_start()
def start_http_apis() -> None:
    """Put HTTP APIs on the edge port, and prepare the extra port."""
    try:
        settings = Settings.from_environment(config.GATEWAY_LISTEN[0].port)
    except InvalidSettingError as error:
        raise SystemExit(f"ERROR: {error}") from None
    workers = WorkerPool(settings.max_concurrency)
    data_plane = DataPlane(LambdaInvoker(), HttpProxy(), workers)
    preprocess_request.append(EdgeHandler(data_plane))
    if settings.port:
        _Running.listener = HttpApiListener(settings, data_plane)


@on_infra_ready()
def open_http_api_port() -> None:
    """Open the extra port; the emulator ends with exit code 1 when it cannot."""
    if _Running.listener is None:
        return
    try:
        _Running.listener.start()
    except ListenError as error:
        LOG.error("%s", error)  # noqa: TRY400 - one sentence, no traceback
        get_current_runtime().exit(1)


@on_infra_shutdown()
def close_http_api_port() -> None:
    """Take no further requests."""
    if _Running.listener is not None:
        _Running.listener.stop()

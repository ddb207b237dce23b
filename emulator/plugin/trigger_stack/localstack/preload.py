"""Loads services while the emulator starts, so that the first user does not pay for it.

``PRELOAD_SERVICES`` names them, separated by commas, in the order in which they are needed.

What: a start hook at LocalStack's extension point ``localstack.hooks.on_infra_start``.
Why: LocalStack loads a service at its first request, or with ``EAGER_SERVICE_LOADING`` all of them
before it is ready.
Until: LocalStack can load named services in the background.
Test: ``tests/unit/plugin/test_preload.py``.
"""

import logging
import os
import threading

from localstack.runtime import hooks
from localstack.services.plugins import SERVICE_PLUGINS

from trigger_stack.localstack import garbage, moto_data, regions, service_models

LOG = logging.getLogger(__name__)


def preloaded() -> list[str]:
    """The services that ``PRELOAD_SERVICES`` names."""
    names = (name.strip() for name in os.environ.get("PRELOAD_SERVICES", "").split(","))
    return [name for name in names if name]


@hooks.on_infra_start(priority=-10)
def preload_services() -> None:
    """Load ``PRELOAD_SERVICES`` in the background; a service that fails says so when it is used."""
    regions.read_once()
    names = preloaded()

    def load() -> None:
        try:
            moto_data.install()
            service_models.share_with_moto()
            for name in names:
                try:
                    SERVICE_PLUGINS.require(name)
                except Exception as error:
                    LOG.warning("service %s could not be loaded: %s", name, error)
        finally:
            garbage.begin()  # else nothing would ever be collected

    threading.Thread(target=load, name="preload-services", daemon=True).start()

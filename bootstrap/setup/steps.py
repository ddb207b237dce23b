"""The steps of the set-up, in their order."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bootstrap.setup import catalog, dynamodb_local, environment, layer
from bootstrap.setup.process import run

RUNTIMES = Path(".build/python-runtime")


def installed_for() -> list[Path]:
    """The interpreters that a Lambda runtime is installed for; those that are gone are left out."""
    files = sorted(RUNTIMES.glob("python3.*/.interpreter"))
    return [one for one in (Path(file.read_text().strip()) for file in files) if one.exists()]


def run_all() -> None:
    """Do what is not done.

    Raises:
        SetupError: a step failed.
    """
    _keep_inside_this_folder()
    interpreter = environment.find_interpreter()
    version = environment.version_of(interpreter)
    environment.make(interpreter, version)
    uv, python = environment.UV.absolute(), environment.PYTHON.absolute()
    with ThreadPoolExecutor() as beside:
        database = beside.submit(dynamodb_local.install_if_changed)
        environment.install_packages()
        index = beside.submit(catalog.build_if_changed)
        # The Lambda runtime and the layer of the brand platform's functions. The engine installs
        # the runtime of another interpreter when a function needs it; here it is kept current.
        for each in dict.fromkeys([interpreter, *installed_for()]):
            run("sh", "emulator/python-runtime/install.sh", uv, each, RUNTIMES)
        Path(".build/env").write_text(f"LAMBDA_PYTHON_RUNTIME={version}\n")
        layer.build_if_changed(uv, interpreter)
        if os.environ["VISION"] != "0":
            run("bash", "emulator/plugin/vision-install.sh", uv, python, ".build/vision")
        database.result()
        index.result()


def _keep_inside_this_folder() -> None:
    build = Path(".build").absolute()
    (build / "tmp").mkdir(parents=True, exist_ok=True)
    # uv leaves lock files where temporary files go.
    os.environ["TMPDIR"] = str(build / "tmp")
    for name, value in {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_CACHE_DIR": str(build / "cache/uv"),
        "UV_LINK_MODE": "hardlink",
        "UV_NO_PROGRESS": "1",
    }.items():
        os.environ[name] = os.environ.get(name) or value

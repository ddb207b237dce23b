"""``scripts/setup.sh`` calls this: quick when nothing has changed, else step by step."""

from __future__ import annotations

import os
import sys

from bootstrap.errors import EXIT_FAILED, TriggerStackError
from bootstrap.setup import stamps

#: Whatever a step is made from, or with: folders, and how their files' names end.
_SOURCES: dict[str, tuple[str, ...]] = {
    ".": ("requirements.lock",),
    "bootstrap/setup": (".py",),
    "emulator": (".lock",),
    "emulator/dynamodb-local": ("",),
    "emulator/engine": ("pyproject.toml",),
    "emulator/plugin": (".lock", ".sh", "pyproject.toml"),
    "emulator/python-runtime": ("",),
    "functions": ("requirements.lock",),
    "scripts": (".lock", ".sh"),
}
#: What somebody may have removed.
_RESULTS = (
    ".build/dynamodb-local/DynamoDBLocal.jar",
    ".build/env",
    ".build/layers/dependencies/python",
    ".venv/bin/python",
)


def main() -> int:
    """Set up, and return the exit code: 0 done, 1 failed, 2 wrong input."""
    everything = _everything()
    if stamps.is_done("everything", everything) and all(map(os.path.exists, _RESULTS)):
        return 0
    stamps.forget("everything")
    # Here, for a run that has nothing to do is not to pay for it.
    from bootstrap.setup import steps

    try:
        steps.run_all()
    except TriggerStackError as error:
        if str(error):  # else the program that failed has said it
            print(f"error {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("error stopped", file=sys.stderr)
        return EXIT_FAILED
    stamps.remember("everything", everything)
    return 0


def _everything() -> str:
    files = sorted(
        f"{folder}/{name}"
        for folder, endings in _SOURCES.items()
        for name in os.listdir(folder)
        if name.endswith(endings) and os.path.isfile(f"{folder}/{name}")
    )
    settings = [os.environ.get(name, "") for name in ("PYTHON", "VISION", "LAYER_PLATFORM")]
    return " ".join([stamps.hash_of(files), *settings, os.getcwd()])


if __name__ == "__main__":
    sys.exit(main())

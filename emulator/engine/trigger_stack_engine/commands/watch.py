"""Runs saved files at the next invocation (``python -m …commands.watch [--root .]``)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from trigger_stack_engine.commands.cli import control, folder, load_lambda, parser, wrong_use

_EVERY_S = 0.5
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_IGNORED = {"__pycache__", ".git", "node_modules", ".venv", ".build", ".trigger-stack"}


def changes(folder: Path) -> dict[Path, int]:
    """Modification times below ``folder``."""
    found = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _IGNORED]
        for name in files:
            file = Path(place) / name
            try:
                found[file] = file.stat().st_mtime_ns
            except OSError:
                continue
    return found


class Reporter:
    """Prints what has changed since it was asked last."""

    def __init__(self, root: Path, folders: list[str]) -> None:
        self.root = root
        self.folders = folders
        self._seen = self._now()

    def _now(self) -> dict[Path, int]:
        found: dict[Path, int] = {}
        for name in self.folders:
            found |= changes(self.root / name)
        return found

    def report(self) -> None:
        """Print one line a changed file."""
        now = self._now()
        for file in sorted(now):
            if self._seen.get(file) != now[file]:
                print(f"changed: {file.relative_to(self.root)}", flush=True)
        self._seen = now


def main() -> None:
    """Switch hot reload on, say what changes, switch it off at Ctrl-C, SIGTERM or SIGHUP."""
    options = parser("Run functions from a working tree while this command runs.")
    options.add_argument(
        "--root", default=".", type=folder, help="folder that packages are made from"
    )
    options.add_argument("folders", nargs="*", default=["functions"], help="folders to report on")
    arguments = options.parse_args()
    root = arguments.root
    for name in arguments.folders:
        if not (root / name).is_dir():
            wrong_use(f"There is no folder {name!r} in {root}")
    load_lambda(arguments.endpoint)
    for ending in _ENDINGS:
        signal.signal(ending, signal.default_int_handler)
    reporter = Reporter(root, arguments.folders)
    control(arguments.endpoint, "hot-reload", "POST", {"root": str(root)})
    print(
        f"Functions run from {root}: a saved file takes effect at the next invoke. Ctrl-C ends.",
        flush=True,
    )
    try:
        while True:
            time.sleep(_EVERY_S)
            reporter.report()
    except KeyboardInterrupt:
        reporter.report()
    finally:
        for ending in _ENDINGS:  # a second Ctrl-C must not keep hot reload on
            signal.signal(ending, signal.SIG_IGN)
        control(arguments.endpoint, "hot-reload", "DELETE")
        print("Functions run from their deployed packages again.")


if __name__ == "__main__":
    main()

"""``python as_user.py UID COMMAND…``: runs a command as an ordinary user. Linux, started by root.

Interpreters that lie in root's own folder stay reachable: in a mount namespace of the command's
own, that folder shows nothing else.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from trigger_stack_engine.environments.zygote.kernel import (
    CLONE_NEWNS,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    mount,
    unshare,
)
from trigger_stack_engine.environments.zygote.sandbox import Sandbox, become_user

RUNTIMES = Path(os.environ["LAMBDA_PROCESS_PYTHON_RUNTIMES"])


def open_the_way(paths: set[str]) -> None:
    """Put ``paths`` where other users can reach them, at the same place."""
    opened = {path: os.open(path, os.O_PATH) for path in paths}
    for closed in {Sandbox._closed_ancestor(path) for path in paths} - {None}:
        mount("tmpfs", str(closed), "tmpfs", 0, "mode=755,size=1m")
    for path, fd in opened.items():
        if not Path(path).is_dir():
            Path(path).mkdir(parents=True)
            mount(f"/proc/self/fd/{fd}", path, None, MS_BIND | MS_REC)
        os.close(fd)


def main() -> None:
    interpreters = [file.read_text().strip() for file in RUNTIMES.glob("python3.*/.interpreter")]
    unshare(CLONE_NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    prefixes = {str(Path(path).resolve().parents[1]) for path in [sys.executable, *interpreters]}
    open_the_way(prefixes - {"/usr"})
    become_user(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()

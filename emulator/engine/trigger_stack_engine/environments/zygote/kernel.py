"""The system calls that the standard library does not have, through libc."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from typing import Any

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2


@functools.cache
def libc() -> Any:
    """The C library of this process.

    One for all calls: each ``CDLL`` makes a class of its own, which is cyclic garbage. The parent
    never collects, so its children would, and copy the pages that they share with it to do so.
    """
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process; nothing happens where Linux does not run."""
    if LINUX:
        libc().prctl(option, value, 0, 0, 0)


def unshare(flags: int) -> None:
    """Move this process into new namespaces. Raises OSError."""
    _check(libc().unshare(flags))


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Have the kernel mount a file system.

    Raises:
        OSError: The kernel refuses.
    """
    _check(
        libc().mount(
            source.encode(),
            target.encode(),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            options.encode() or None,
        )
    )


def unmount(target: str) -> None:
    """Detach a mount, if it is one."""
    libc().umount2(target.encode(), MNT_DETACH)


def drop_capabilities() -> None:
    """Give up every capability, those of a user namespace included."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    libc().capset(header, nothing)

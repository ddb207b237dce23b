"""Isolates execution environments from the machine and from each other."""

# No pathlib: it costs every child memory and the parent start-up time.
# ruff: noqa: PTH101, PTH102, PTH103, PTH106, PTH108, PTH112, PTH114, PTH115, PTH116, PTH118, PTH123, PTH208, PTH211

from __future__ import annotations

import contextlib
import errno
import os
from typing import Any

from trigger_stack_engine.environments.zygote.kernel import (
    CLONE_NEWNS,
    CLONE_NEWUSER,
    LINUX,
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    drop_capabilities,
    mount,
    unmount,
    unshare,
)

TMP = "/tmp"  # noqa: S108  each environment's own, mounted over the machine's
TMP_ROOT = "/var/.lambda"
USERS_FILE = "/etc/passwd"
#: The name of the functions' user on AWS, and a home directory that is not there.
USER = "sbx_user1051:x:{uid}:{uid}::/home/sbx_user1051:/sbin/nologin\n"
INODES_PER_MB = 64  # as in the file system of AWS's /tmp: one for 16 KB
#: Shared with the machine otherwise, outside MemorySize and EphemeralStorage. On AWS only /tmp is.
NOT_WRITABLE = ("/dev/shm", "/var/tmp")  # noqa: S108  compared with mount points
KEPT_FLAGS = 8 | 1024 | 2048  # noexec, noatime, nodiratime


class Sandbox:
    """Isolates environments from the machine and from each other, as far as the system allows.

    Root, or a user who may make user namespaces, gets a mount namespace: real ``/var/task``,
    ``/opt`` and ``/tmp``, and nothing of the emulator's own folders. Root also gives every
    environment a user of its own. Where neither is allowed, both stay off.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.mounts = False
        self.users = False
        self.opt = False
        self.tmp = False
        self.why = ""
        self._runtime = options.get("runtime")
        self._hidden: list[str] = []
        self._needed = [os.path.realpath(path) for path in options["needed"]]
        self._hide = [os.path.realpath(path) for path in options["hide"]]
        self._tmp: set[str] = set()
        self._passwd = ""
        if not LINUX or not options["wanted"]:
            self.why = "not wanted" if LINUX else "no namespaces on this system"
            return
        root = os.geteuid() == 0
        try:
            self._check_in_a_child(root)
            self._enter(root)
            self._arrange()
            self.mounts = True
        except OSError as error:
            self.why = f"no namespaces ({error})"
        self.users = root and self._can_change_user()
        if self.users and self.mounts:
            with contextlib.suppress(OSError), open(USERS_FILE) as file:
                self._passwd = file.read()

    @staticmethod
    def _check_in_a_child(root: bool) -> None:
        """Try it where a half-way failure does no harm."""
        pid = os.fork()
        if pid == 0:
            try:
                Sandbox._enter(root)
                mount("tmpfs", TMP, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m")
            except OSError as error:
                os._exit(error.errno or 1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else errno.EPERM
        if code:
            raise OSError(code, os.strerror(code))

    @staticmethod
    def _enter(root: bool) -> None:
        uid, gid = os.geteuid(), os.getegid()
        unshare(CLONE_NEWNS if root else CLONE_NEWNS | CLONE_NEWUSER)
        if not root:
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{uid} {uid} 1"),
                ("gid_map", f"{gid} {gid} 1"),
            ):
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
        mount("none", "/", None, MS_REC | MS_PRIVATE)

    def _arrange(self) -> None:
        """Once for all children: targets to mount on, the emulator's folders out of sight."""
        self.opt = os.path.isdir("/opt") and not self._needs_below("/opt")
        self.tmp = not self._needs_below(TMP)
        fds = {path: os.open(path, os.O_PATH) for path in self._needed if os.path.isdir(path)}
        if self.opt and self.tmp:
            self._hidden = [path for path in self._hide if os.path.isdir(path)]
        runtime = os.open(self._runtime, os.O_PATH) if self._runtime else None
        self._cover("/var", ["task", "runtime", ".lambda"])
        os.chmod(TMP_ROOT, 0o700)
        # ES modules find the SDK here, above /var/task: NODE_PATH counts for require() only.
        with contextlib.suppress(FileExistsError):
            os.symlink("/var/runtime/node_modules", "/var/node_modules")
        if runtime is not None:
            self._bind(f"/proc/self/fd/{runtime}", "/var/runtime", read_only=True)
            os.close(runtime)
        closed = [path for path in map(self._closed_ancestor, self._needed) if path]
        for path in set(closed):
            # The parent still mounts from the folders that are hidden from functions.
            inside = {
                name: os.open(name, os.O_PATH)
                for name in self._hidden
                if name.startswith(path + "/")
            }
            mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
            for name, fd in inside.items():
                os.makedirs(name)
                mount(f"/proc/self/fd/{fd}", name, None, MS_BIND | MS_REC)
                os.close(fd)
        for path, fd in fds.items():
            if not os.path.isdir(path) or not os.listdir(path):
                os.makedirs(path, exist_ok=True)
                mount(f"/proc/self/fd/{fd}", path, None, MS_BIND | MS_REC)
            os.close(fd)

    def _needs_below(self, folder: str) -> bool:
        return any(path == folder or path.startswith(folder + "/") for path in self._needed)

    @staticmethod
    def _cover(parent: str, extra: list[str]) -> None:
        """Make folders below a read-only or foreign ``parent``: in memory, the rest as it was."""
        entries = [(entry.name, entry.is_symlink()) for entry in os.scandir(parent)]
        kept = {
            name: os.open(f"{parent}/{name}", os.O_PATH)
            for name, is_link in entries
            if not is_link and os.path.isdir(f"{parent}/{name}")
        }
        links = {name: os.readlink(f"{parent}/{name}") for name, is_link in entries if is_link}
        mount("tmpfs", parent, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=16m")
        for name, fd in kept.items():
            os.mkdir(f"{parent}/{name}")
            mount(f"/proc/self/fd/{fd}", f"{parent}/{name}", None, MS_BIND | MS_REC)
            os.close(fd)
        for name, target in links.items():
            os.symlink(target, f"{parent}/{name}")
        for name in extra:
            os.makedirs(f"{parent}/{name}", exist_ok=True)

    @staticmethod
    def _closed_ancestor(path: str) -> str | None:
        """The topmost folder on the way to ``path`` that other users may not enter."""
        parts = path.strip("/").split("/")
        for count in range(1, len(parts) + 1):
            folder = "/" + "/".join(parts[:count])
            with contextlib.suppress(OSError):
                if not os.stat(folder).st_mode & 0o001:
                    return folder
        return None

    def _can_change_user(self) -> bool:
        if not self.mounts and any(
            self._closed_ancestor(os.path.realpath(path))
            for path in [*self._needed, *self._hide, *filter(None, [self._runtime])]
        ):
            return False
        pid = os.fork()
        if pid == 0:
            try:
                become_user(65534)
            except OSError:
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        return status == 0

    def facts(self) -> dict[str, Any]:
        """The isolation in force, for the emulator."""
        return {
            "mounts": self.mounts,
            "users": self.users,
            "opt": self.mounts and self.opt,
            "tmp": self.mounts and self.tmp,
            "why": self.why,
        }

    # -- per environment ----------------------------------------------------------------------

    def make_tmp(self, job: dict[str, Any]) -> None:
        """In the parent: the environment's ``/tmp``, which outlives its process, and its user."""
        name = job["tmp"]["id"]
        if not (self.mounts and self.tmp) or name in self._tmp:
            return
        path = f"{TMP_ROOT}/{name}"
        if self.users:
            # Libraries ask for the user's name and home directory.
            with open(f"{path}.passwd", "w") as file:
                file.write(self._passwd + USER.format(uid=job["uid"]))
            os.chmod(f"{path}.passwd", 0o644)
        os.makedirs(path, exist_ok=True)
        owner = f",uid={job['uid']},gid={job['uid']}" if self.users else ""
        size_mb = job["tmp"]["size_mb"]
        options = f"size={size_mb}m,nr_inodes={size_mb * INODES_PER_MB},mode=0700{owner}"
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options)
        self._tmp.add(name)

    def drop_tmp(self, name: str) -> None:
        """In the parent: the environment is gone for good."""
        if name not in self._tmp:
            return
        self._tmp.discard(name)
        path = f"{TMP_ROOT}/{name}"
        # Other children's namespaces hold the mount too: the memory is freed by deleting.
        for folder, folders, files in os.walk(path, topdown=False):
            for entry in files + folders:
                full = os.path.join(folder, entry)
                with contextlib.suppress(OSError):
                    if os.path.isdir(full) and not os.path.islink(full):
                        os.rmdir(full)
                    else:
                        os.unlink(full)
        unmount(path)
        with contextlib.suppress(OSError):
            os.rmdir(path)
        with contextlib.suppress(OSError):
            os.unlink(f"{path}.passwd")

    def confine(self, job: dict[str, Any]) -> None:
        """In the child: its own view of the file system, its own user, no privileges."""
        if self.mounts:
            unshare(CLONE_NEWNS)
            self._bind(job["code"], "/var/task", read_only=True)
            if self.opt:
                self._bind(job["opt"], "/opt", read_only=True)
            if job.get("runtime"):
                self._bind(job["runtime"], "/var/runtime", read_only=True)
            if self.tmp:
                own = f"{TMP_ROOT}/{job['tmp']['id']}"
                self._bind(own, TMP, read_only=False)
                if self.users and os.access(USERS_FILE, os.F_OK):
                    self._bind(f"{own}.passwd", USERS_FILE, read_only=True)
            for folder in NOT_WRITABLE:
                if os.path.isdir(folder):
                    mount("tmpfs", folder, "tmpfs", MS_RDONLY, "size=4k,mode=755")
            for folder in [TMP_ROOT, *self._hidden]:
                if os.path.isdir(folder):  # it may lie below the new /tmp
                    mount("tmpfs", folder, "tmpfs", MS_RDONLY, "size=4k,mode=700")
        if self.users:
            become_user(job["uid"])
        if LINUX:
            drop_capabilities()

    def _bind(self, source: str, target: str, *, read_only: bool) -> None:
        mount(source, target, None, MS_BIND)
        flags = MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV
        if read_only:
            # Flags that a user namespace has inherited may not be taken away.
            flags |= os.statvfs(target).f_flag & KEPT_FLAGS
            mount("none", target, None, flags | MS_RDONLY)


def become_user(uid: int) -> None:
    """Turn root into an ordinary user for good. Raises OSError."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)

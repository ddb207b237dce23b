"""Installs AWS's runtime client for Node.js and its SDK v3 when the first function needs them.

The client's package, ``aws-lambda-ric``, builds a C++ addon when npm installs it. Here only its
JavaScript is taken out of the archive; ``rapid-client.js`` stands in for the addon. ``sdk/`` locks
the SDK's packages.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

OWN = Path(__file__).parent
_SDK = ("package.json", "package-lock.json")
_DOWNLOAD_TIMEOUT_S = 50  # twice at most; what waits for a function gives up after 2 minutes
# LocalStack neither updates nor deletes a function whose creation failed. Others work at once.
_AGAIN = "then start the emulator again"
_WANTED = {  # member of the archive: name in the folder
    "package/dist/index.mjs": "index.mjs",
    "package/LICENSE": "LICENSE",
    "package/NOTICE": "NOTICE",
    "package/THIRD-PARTY-LICENSES": "THIRD-PARTY-LICENSES",
}
_OWN_FILES = {
    "start.mjs": "start.mjs",
    "package.json": "package.json",
    "rapid-client.js": "rapid-client.node/index.js",  # Node.js takes a folder of that name as well
}
_NPM_ERROR = re.compile(r"npm (?:error|ERR!) code (\S+)")


class NodeClientError(Exception):
    """The client is not there and cannot be installed.

    The text says what is missing and what to do about it; it continues "runtime nodejs20.x ...".
    """


class NodeClient:
    """The folder that Node.js functions see as ``/var/runtime``.

    AWS's files are kept in ``runtimes_dir``, for later emulators too, or in ``work_dir`` when the
    emulator may not write there. The folder itself is made in ``work_dir``, of AWS's files and
    this package's own.
    """

    def __init__(self, runtimes_dir: Path, work_dir: Path) -> None:
        self.runtimes_dir = runtimes_dir
        self.work_dir = work_dir
        locked = json.loads((OWN / "package.json").read_text())["config"]
        self.package: str = locked["package"]
        self.integrity: str = locked["integrity"]
        self._lock = threading.Lock()
        self._attempt: Future[Path] | None = None

    def folder(self) -> Path:
        """The folder, made at first use. Those who ask meanwhile wait for the same attempt.

        Raises:
            NodeClientError: It cannot be installed. The next call tries again.
        """
        with self._lock:
            attempt = self._attempt
            mine = attempt is None
            if attempt is None:
                attempt = self._attempt = Future()
        if mine:
            try:
                (client, package), (sdk, libraries) = self._parts()
                installed = self._installed(client, package, self._make_client)
                modules = self._installed(sdk, libraries, self._make_sdk)
                attempt.set_result(self._compose(installed, modules))
            except BaseException as error:
                with self._lock:
                    self._attempt = None
                attempt.set_exception(error)
        return attempt.result()

    def check(self) -> None:
        """Say whether everything is there, or can be installed.

        Raises:
            NodeClientError: Something is not there, and npm is missing.
        """
        for name, what in self._parts():
            if self._there(name) is None:
                _npm_path(what)

    def _compose(self, client: Path, sdk: Path) -> Path:
        """Put AWS's files and our own together, readable for the functions' users."""
        target = self.work_dir / "node-client"
        files = {name: client / name for name in _WANTED.values()}
        files |= {name: OWN / source for source, name in _OWN_FILES.items()}
        try:
            for name, source in files.items():
                file = target / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.parent.chmod(0o755)
                shutil.copyfile(source, file)
                file.chmod(0o644)
            modules = target / "node_modules"
            shutil.rmtree(modules, ignore_errors=True)
            try:  # thousands of files: another name for each costs no space
                shutil.copytree(sdk, modules, copy_function=os.link)
            except OSError:
                shutil.rmtree(modules, ignore_errors=True)
                shutil.copytree(sdk, modules)
        except OSError as error:
            raise NodeClientError(
                f"needs {target}, which cannot be written ({error}); make room there, {_AGAIN}"
            ) from error
        return target

    def _parts(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """The folders of AWS's client and of its SDK, each with words for it."""
        locked = b"".join((OWN / "sdk" / name).read_bytes() for name in _SDK)
        sdk = f"aws-sdk-js-v3-{hashlib.sha256(locked).hexdigest()[:12]}"
        return (self.package.replace("@", "-"), self.package), (sdk, "AWS's SDK v3")

    def _there(self, name: str) -> Path | None:
        roots = (self.runtimes_dir, self.work_dir)
        return next((root / name for root in roots if (root / name).is_dir()), None)

    def _installed(self, name: str, what: str, make: Callable[[str, Path, Path], None]) -> Path:
        """The folder ``name``, made by ``make`` at first use, where it can be written.

        Args:
            name: Of the folder.
            what: For sentences about it.
            make: Called with npm's path, a folder to work in, and the folder to make.
        """
        if there := self._there(name):
            return there
        npm = _npm_path(what)
        for root in (self.runtimes_dir, self.work_dir):
            try:
                root.mkdir(parents=True, exist_ok=True)
                lock = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
            except OSError:
                continue
            try:  # another emulator that installs the same is waited for
                fcntl.flock(lock, fcntl.LOCK_EX)
                if (root / name).is_dir():
                    return root / name
                if os.access(root, os.W_OK):
                    self._install(npm, root, name, what, make)
                    return root / name
            finally:
                os.close(lock)
        raise NodeClientError(
            f"needs {what}, and neither {self.runtimes_dir} nor {self.work_dir} can be"
            f" written; make one writable, {_AGAIN}"
        )

    @staticmethod
    def _install(
        npm: str, root: Path, name: str, what: str, make: Callable[[str, Path, Path], None]
    ) -> None:
        building = None
        try:
            building = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
            make(npm, building, building / name)
            (building / name).rename(root / name)
        except OSError as error:
            raise NodeClientError(
                f"needs {what}, which cannot be stored in {root} ({error}); make room"
                f" there, {_AGAIN}"
            ) from error
        finally:
            if building is not None:
                shutil.rmtree(building, ignore_errors=True)

    def _make_client(self, npm: str, work: Path, target: Path) -> None:
        self._unpack(self._download(npm, work), target)

    def _make_sdk(self, npm: str, work: Path, target: Path) -> None:
        project = work / "sdk"
        project.mkdir()
        for name in _SDK:
            shutil.copyfile(OWN / "sdk" / name, project / name)
        why = _npm(npm, ["ci", "--no-audit", "--no-fund"], project, work / "cache")
        if why is not None or not (project / "node_modules").is_dir():
            raise NodeClientError(
                f"needs AWS's SDK v3, which npm cannot fetch ({why}); see that"
                f" `npm view @aws-sdk/client-s3` works for the emulator's user, {_AGAIN}"
            )
        (project / "node_modules").rename(target)
        for path in (target, *target.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)

    def _download(self, npm: str, folder: Path) -> Path:
        """Let npm fetch the archive; its scripts do not run.

        Raises:
            NodeClientError: Npm failed, or the archive is not the one that was locked.
        """
        command = ["pack", "--pack-destination", str(folder), self.package]
        why = _npm(npm, command, folder, folder / "cache")
        archives = list(folder.glob("*.tgz"))
        if why is not None or len(archives) != 1:
            raise NodeClientError(
                f"needs {self.package}, which npm cannot fetch ({why}); see that"
                f" `npm view {self.package}` works for the emulator's user, {_AGAIN}"
            )
        digest = hashlib.sha512(archives[0].read_bytes()).digest()
        found = f"sha512-{base64.b64encode(digest).decode()}"
        if found != self.integrity:
            raise NodeClientError(
                f"needs {self.package}, and what npm fetched is not the locked archive"
                f" ({found[:23]}… instead of {self.integrity[:23]}…); check which registry npm"
                f" is set to, {_AGAIN}"
            )
        return archives[0]

    @staticmethod
    def _unpack(archive: Path, target: Path) -> None:
        target.mkdir()
        with tarfile.open(archive) as package:
            for member, name in _WANTED.items():
                content = package.extractfile(member)
                assert content is not None  # a file: the archive is the locked one
                (target / name).write_bytes(content.read())
        for file in (target, *target.iterdir()):
            file.chmod(0o755 if file.is_dir() else 0o644)


def _npm_path(what: str) -> str:
    """Path of ``npm``.

    Raises:
        NodeClientError: It is not installed, which ``what`` needs.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise NodeClientError(
            f"needs {what}, which npm installs once, and `npm` is not installed on this"
            f" machine; install it, {_AGAIN}"
        )
    return npm


def _npm(npm: str, command: list[str], folder: Path, cache: Path) -> str | None:
    """Run npm in ``folder``, without the packages' scripts; why it failed, or None."""
    options = ["--ignore-scripts", "--loglevel", "error"]
    options += ["--fetch-retries", "1", "--fetch-retry-mintimeout", "1000"]
    try:
        done = subprocess.run(
            [npm, *command, *options],
            env={"npm_config_cache": str(cache), **os.environ},  # gone with the folder
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DOWNLOAD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_DOWNLOAD_TIMEOUT_S} s"
    if done.returncode == 0:
        return None
    code = _NPM_ERROR.search(done.stderr)
    return code[1] if code else f"exit status {done.returncode}"

"""Installs AWS's runtime client for Node.js, ``aws-lambda-ric``, when the first function needs it.

The package builds a C++ addon when npm installs it. Here only its JavaScript is taken out of the
archive; ``rapid-client.js`` stands in for the addon.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path

OWN = Path(__file__).parent
_DOWNLOAD_TIMEOUT_S = 50  # what waits for a function gives up after a minute
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
                attempt.set_result(self._compose(self._installed()))
            except BaseException as error:
                with self._lock:
                    self._attempt = None
                attempt.set_exception(error)
        return attempt.result()

    def _compose(self, installed: Path) -> Path:
        """Put AWS's files and our own together, readable for the functions' users."""
        target = self.work_dir / "node-client"
        files = {name: installed / name for name in _WANTED.values()}
        files |= {name: OWN / source for source, name in _OWN_FILES.items()}
        try:
            for name, source in files.items():
                file = target / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.parent.chmod(0o755)
                shutil.copyfile(source, file)
                file.chmod(0o644)
        except OSError as error:
            raise NodeClientError(
                f"needs {target}, which cannot be written ({error}); make room there, {_AGAIN}"
            ) from error
        return target

    def _installed(self) -> Path:
        name = self.package.replace("@", "-")
        for root in (self.runtimes_dir, self.work_dir):
            if (root / name).is_dir():
                return root / name
        npm = shutil.which("npm")
        if npm is None:
            raise NodeClientError(
                f"needs {self.package}, which npm installs once, and `npm` is not installed on this"
                f" machine; install it, {_AGAIN}"
            )
        for root in (self.runtimes_dir, self.work_dir):
            try:
                root.mkdir(parents=True, exist_ok=True)
                building = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
            except OSError:
                continue  # not writable for the emulator's user
            try:
                self._unpack(self._download(npm, building), building / name)
                try:
                    (building / name).rename(root / name)
                except OSError:
                    if not (root / name).is_dir():  # else another emulator was faster
                        raise
                return root / name
            except OSError as error:
                raise NodeClientError(
                    f"needs {self.package}, which cannot be stored in {root} ({error}); make room"
                    f" there, {_AGAIN}"
                ) from error
            finally:
                shutil.rmtree(building, ignore_errors=True)
        raise NodeClientError(
            f"needs {self.package}, and neither {self.runtimes_dir} nor {self.work_dir} can be"
            f" written; make one writable, {_AGAIN}"
        )

    def _download(self, npm: str, folder: Path) -> Path:
        """Let npm fetch the archive; its scripts do not run.

        Raises:
            NodeClientError: Npm failed, or the archive is not the one that was locked.
        """
        command = [npm, "pack", "--ignore-scripts", "--loglevel", "error"]
        command += ["--fetch-retries", "1", "--fetch-retry-mintimeout", "1000"]
        command += ["--pack-destination", str(folder)]
        cache = {"npm_config_cache": str(folder / "cache")}  # gone with the folder
        try:
            done = subprocess.run(
                [*command, self.package],
                env={**cache, **os.environ},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_DOWNLOAD_TIMEOUT_S,
                check=False,
            )
            failed = done.returncode != 0
            code = _NPM_ERROR.search(done.stderr)
            why = code[1] if code else f"exit status {done.returncode}"
        except subprocess.TimeoutExpired:
            failed, why = True, f"no answer within {_DOWNLOAD_TIMEOUT_S} s"
        archives = list(folder.glob("*.tgz"))
        if failed or len(archives) != 1:
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

"""``custom.pythonRequirements``: what the plugin ``serverless-python-requirements`` would package.

Follows the plugin's README. Nothing is installed here: a function or layer only gets to know which
file its packages come from, and :mod:`bootstrap.builds` makes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from bootstrap.definition.document import Document
from bootstrap.definition.parsing import Model, parse

PLUGIN: Final = "serverless-python-requirements"
#: Wraps a WSGI application in a handler; it installs the requirements, too.
WSGI_PLUGIN: Final = "serverless-wsgi"
_WSGI_HANDLER: Final = "wsgi_handler.handler"
_WSGI_PACKAGE: Final = "serverless-wsgi==3.1.0"
_PATH: Final = ("custom", "pythonRequirements")
LAYER_ID: Final = "PythonRequirementsLambdaLayer"
_SLIM: Final = ("**/*.py[co]", "**/__pycache__/**", "**/*.dist-info/**")

_BUILT: Final = "has no effect here: packages are built for the interpreter that runs functions"
_CACHED: Final = "has no effect here: what is built is kept in .build/ in any case"
_NO_EFFECT: Final = {
    **dict.fromkeys(
        (
            *("dockerizePip", "dockerImage", "dockerFile", "dockerSsh", "dockerSshSymlink"),
            *("dockerPrivateKey", "dockerEnv", "dockerBuildCmdExtraArgs", "dockerExtraFiles"),
            *("dockerRunCmdExtraArgs", "dockerRootless", "pythonBin"),
        ),
        _BUILT,
    ),
    **dict.fromkeys(
        (
            *("useDownloadCache", "useStaticCache", "cacheLocation", "staticCacheMaxVersions"),
            *("invalidateCaches", "cleanupZipHelper"),
        ),
        _CACHED,
    ),
    "strip": "has no effect here: libraries are not stripped",
    "requirePoetryLockFile": "has no effect here: pyproject.toml is not read",
    **dict.fromkeys(
        ("poetryWithGroups", "poetryWithoutGroups", "poetryOnlyGroups", "pyprojectWithGroups"),
        "has no effect here: pyproject.toml is not read",
    ),
}
#: Tools whose files the plugin reads before requirements.txt: the switch, the file that shows that
#: one is used, text in it, and the command that writes requirements.txt.
_TOOLS: Final = (
    ("usePipenv", "Pipfile", "", "pipenv requirements > {file}"),
    ("usePoetry", "pyproject.toml", "[tool.poetry", "poetry export --without-hashes -o {file}"),
    ("useUv", "uv.lock", "", "uv export --no-dev --no-emit-project -o {file}"),
    ("usePyProject", "pyproject.toml", "[project]", "uv pip compile pyproject.toml -o {file}"),
)
#: Arguments of pip that uv has, too.
_PIP_ARGUMENTS: Final = (
    *("--index-url", "--extra-index-url", "--find-links", "--no-deps", "--no-binary"),
    *("--only-binary", "--no-index", "--require-hashes", "--no-build-isolation"),
)


class LayerSettings(Model):
    """``custom.pythonRequirements.layer``, written out."""

    name: str | None = None
    description: str | None = None
    compatibleRuntimes: list[str] = []
    compatibleArchitectures: list[str] = []
    licenseInfo: str | None = None
    allowedAccounts: list[str] = []
    retain: bool = False


class Settings(Model):
    """``custom.pythonRequirements``."""

    fileName: str = "requirements.txt"
    slim: bool = False
    slimPatterns: list[str] = []
    slimPatternsAppendDefaults: bool = True
    zip: bool = False
    layer: LayerSettings | bool = False
    noDeploy: list[str] = []
    vendor: str | None = None
    pipCmdExtraArgs: list[str] = []
    usePipenv: bool | None = None
    usePoetry: bool | None = None
    useUv: bool | None = None
    usePyProject: bool | None = None
    installFolderAsPackage: bool = False


class WsgiSettings(Model):
    """``custom.wsgi``: the application, as ``<module>.<name>``, and what it is served with."""

    app: str
    packRequirements: bool = True
    pythonBin: str | None = None
    textMimeTypes: list[str] = []


class PythonRequirements:
    """What the plugin's settings say about each function.

    Args:
        document: the file, normalised.
        custom: its ``custom``.

    Raises:
        DefinitionError: a setting that the plugin does not have, or that cannot be done here.
    """

    def __init__(self, document: Document, custom: dict[str, Any]) -> None:
        self.document = document
        self.wsgi: WsgiSettings | None = None
        if WSGI_PLUGIN in document.plugins:
            wsgi = custom.get("wsgi") or {}
            self.wsgi = parse(WsgiSettings, wsgi, document, ("custom", "wsgi"), convert=False)
            for name in self.wsgi.model_fields_set & {"packRequirements", "pythonBin"}:
                said = "has no effect here: requirements are installed in any case"
                document.note(said, "custom", "wsgi", name)
        self.used = PLUGIN in document.plugins or self.wsgi is not None
        given = custom.get("pythonRequirements") if self.used else None
        given = dict(given) if isinstance(given, dict) else {}
        for key in [key for key in given if key in _NO_EFFECT]:
            document.note(_NO_EFFECT[key], *_PATH, key)
            del given[key]
        self.settings = parse(Settings, given, document, _PATH, convert=False)
        if self.settings.installFolderAsPackage:
            document.fail(
                "custom.pythonRequirements.installFolderAsPackage is not done here. Write the"
                " folder into requirements.txt: a line with “.” installs it.",
                *_PATH,
                "installFolderAsPackage",
            )
        self._noted: set[str] = set()

    @classmethod
    def none(cls, document: Document) -> PythonRequirements:
        """For a document whose settings are wrong."""
        made = cls.__new__(cls)
        made.document, made.used, made.settings = document, True, Settings()
        made.wsgi = None
        made.settings.layer = True  # so that no function asks for files
        made._noted = set()
        return made

    @property
    def in_layer(self) -> bool:
        """Whether the packages are a layer's, and no function's."""
        return self.used and self.settings.layer is not False

    def layer(self, service: str, stage: str, runtime: str | None) -> dict[str, Any] | None:
        """Properties of the plugin's layer; None when there is none."""
        source = self.source(".", runtime or "", None) if self.in_layer else None
        if source is None:
            return None
        layer = self.settings.layer
        layer = layer if isinstance(layer, LayerSettings) else LayerSettings()
        return {
            "Content": {"Requirements": source},
            "LayerName": layer.name or f"{service}-{stage}-python-requirements",
            "Description": layer.description
            or "Python requirements generated by serverless-python-requirements.",
            **({"CompatibleRuntimes": r} if (r := layer.compatibleRuntimes) else {}),
            **({"CompatibleArchitectures": a} if (a := layer.compatibleArchitectures) else {}),
        }

    def of_function(
        self, runtime: str, module: str | None, vendor: str | None
    ) -> dict[str, Any] | None:
        """What goes into a function's package beside its own files; None for nothing.

        Args:
            module: the folder that the package is made of, when it is not the project's.
        """
        if not self.used or not runtime.startswith("python"):
            return None
        if self.in_layer:
            return None
        return self.source(module or ".", runtime, vendor)

    def source(self, folder: str, runtime: str, vendor: str | None) -> dict[str, Any] | None:
        """What the packages of the functions in ``folder`` are made from; None: there is nothing.

        Raises:
            DefinitionError: another tool's file is there, and no requirements.txt.
        """
        settings, root = self.settings, self.document.root
        name = (Path(folder) / settings.fileName).as_posix()
        there = (root / name).is_file()
        self._look_for_tools(folder, name, there)
        vendor = vendor or settings.vendor
        if vendor and not (root / vendor).is_dir():
            self.document.fail(f"vendor: there is no folder {vendor}.", *_PATH, "vendor")
        if not there and not vendor:
            if "fileName" in settings.model_fields_set:
                self.document.fail(f"there is no file {name}.", *_PATH, "fileName")
            return None
        slim = list(settings.slimPatterns) if settings.slim else []
        if settings.slim and settings.slimPatternsAppendDefaults:
            slim = [*_SLIM, *slim]
        return {
            "File": str((root / name).resolve()) if there else "",
            "Runtime": runtime,
            "Omit": settings.noDeploy,
            "Slim": slim,
            "Arguments": self._arguments(),
            "Vendor": str((root / vendor).resolve()) if vendor else "",
            "Unzip": settings.zip,
            **({"Extra": [_WSGI_PACKAGE]} if self.wsgi is not None else {}),
        }

    def application(self, handler: str) -> dict[str, Any] | None:
        """The WSGI application behind the handler that the plugin would write, or None."""
        if self.wsgi is None or handler != _WSGI_HANDLER:
            return None
        return {"App": self.wsgi.app, "TextTypes": self.wsgi.textMimeTypes}

    def _look_for_tools(self, folder: str, name: str, there: bool) -> None:
        base = self.document.root / folder
        for switch, file, mark, command in _TOOLS:
            wanted = getattr(self.settings, switch)
            shown = (base / file).is_file() and mark in _text(base / file)
            if wanted is False or not (shown or wanted):
                continue
            write = command.format(file=self.settings.fileName)
            if there:
                said = f"requirements come from {name} here, not from {file} ({switch})"
                if said not in self._noted:
                    self._noted.add(said)
                    self.document.note(said, *_PATH, *([switch] if wanted else []))
                return
            self.document.fail(
                f"{PLUGIN} would read {file} ({switch}), which is not read here. Write {name}:"
                f" {write}",
                *_PATH,
                switch,
            )

    def _arguments(self) -> list[str]:
        arguments, kept = self.settings.pipCmdExtraArgs, []
        for argument in arguments:
            words = argument.split()
            if words and words[0].partition("=")[0] in _PIP_ARGUMENTS:
                kept += words
            elif kept and not argument.startswith("-") and kept[-1].startswith("--"):
                kept.append(argument)
            elif (said := f"{argument} is not passed on to uv, which installs here") not in (
                self._noted
            ):
                self._noted.add(said)
                self.document.note(said, *_PATH, "pipCmdExtraArgs")
        return kept


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

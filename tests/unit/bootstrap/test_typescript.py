"""Handlers in TypeScript: which are bundled, and what is packaged. esbuild is a script here."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from conftest import Project

from bootstrap import builds, typescript
from bootstrap.checks import check
from bootstrap.commands.load import load_template
from bootstrap.errors import DefinitionError, DeployError
from bootstrap.template import Template

SERVICE = """\
service: shop
provider: {name: aws, stage: test, runtime: nodejs22.x}
functions:
  greet: {handler: src/greet.handler}
"""
#: Writes what it was told to bundle, and how, where the bundle belongs.
FAKE = """#!/bin/sh
for one in "$@"; do case "$one" in --outfile=*) out="${one#--outfile=}";; esac; done
echo "// $*" > "$out"
"""
BROKEN = """#!/bin/sh
echo 'Could not resolve "uuid"' >&2
exit 1
"""


@pytest.fixture(autouse=True)
def bundles_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("bundles")
    monkeypatch.setattr(builds, "FOLDER", folder)
    monkeypatch.setattr(typescript, "_BUNDLES", folder)


def write(project: Project, script: str, *sources: str) -> Path:
    """An esbuild of the project's own, and source files."""
    program = project.root / "node_modules/.bin/esbuild"
    program.parent.mkdir(parents=True)
    program.write_text(script)
    program.chmod(0o755)
    for source in sources:
        file = project.root / source
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    return program


def packaged(template: Template) -> dict[str, str]:
    check(template)
    builds.prepare(template)
    code = template.resources["GreetLambdaFunction"].properties["Code"]
    archive = zipfile.ZipFile(io.BytesIO(builds.function_archive(code) or b""))
    return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_bundle_alone_is_packaged(project: Project) -> None:
    write(project, FAKE, "src/greet.ts", "src/other.ts")
    template = load_template(project.write(SERVICE))

    files = packaged(template)

    assert files.keys() == {"src/greet.js"}
    assert "src/greet.ts --bundle" in files["src/greet.js"]
    assert "--target=node22" in files["src/greet.js"]
    notes = " ".join(template.document.notes_as_text())
    assert "src/greet.ts is bundled with esbuild" in notes


def test_what_patterns_name_is_packaged_too(project: Project) -> None:
    write(project, FAKE, "src/greet.tsx", "src/page.html", "src/left-out.html")
    patterns = "package: {patterns: ['!**', src/**, '!src/left-out.html']}\n"

    files = packaged(load_template(project.write(SERVICE + patterns)))

    assert files.keys() == {"src/greet.js", "src/page.html"}


def test_javascript_that_is_there_is_taken(project: Project) -> None:
    write(project, BROKEN, "src/greet.ts", "src/greet.js")

    files = packaged(load_template(project.write(SERVICE)))

    assert "src/greet.js" in files


def test_what_cannot_be_bundled(project: Project) -> None:
    write(project, BROKEN, "src/greet.ts")

    with pytest.raises(DeployError, match=r"src/greet.ts could not be bundled:\nCould not resolve"):
        packaged(load_template(project.write(SERVICE)))


def test_a_handler_in_neither_language(project: Project) -> None:
    with pytest.raises(DefinitionError, match=r"there is no src/greet\.js"):
        check(load_template(project.write(SERVICE)))


def test_python_has_no_typescript(project: Project) -> None:
    write(project, BROKEN, "src/greet.ts")
    text = SERVICE.replace("nodejs22.x", "python3.13")

    with pytest.raises(DefinitionError, match=r"there is no src/greet\.py"):
        check(load_template(project.write(text)))

"""Deployment packages: which files, and the same bytes for the same content."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from bootstrap.packaging import picks, select, zip_files, zip_folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "functions/a/handler.py",
        "functions/a/data/x.json",
        "functions/a/__pycache__/handler.pyc",
        "functions/b/handler.py",
        "functions/shared/names.py",
        "functions/README.md",
        "README.md",
        ".env",
        ".git/HEAD",
        ".gitignore",
        "serverless.yml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "files"),
    [
        (
            ["!**", "functions/shared/**", "functions/a/**"],
            ["functions/a/data/x.json", "functions/a/handler.py", "functions/shared/names.py"],
        ),
        (["!**", "**/*.py", "!functions/b/**"], ["functions/a/handler.py",
                                                 "functions/shared/names.py"]),
        (["!**", "functions/**", "!functions/**", "functions/b/*.py"], ["functions/b/handler.py"]),
        (["!**", "functions/{a,b}/handler.py"], ["functions/a/handler.py",
                                                 "functions/b/handler.py"]),
        (["!**", "functions/[!a]/handler.py"], ["functions/b/handler.py"]),
        (["!**", ".env"], [".env"]),
        (["!**", ".*"], [".env", ".gitignore"]),
        (["!**", "nothing/**"], []),
        (["!**"], []),
        (["!functions/**"], [".env", "README.md"]),
        ([], [".env", "README.md", "functions/README.md", "functions/a/data/x.json",
              "functions/a/handler.py", "functions/b/handler.py", "functions/shared/names.py"]),
        (["serverless.yml", "!**/*.*"], []),
    ],
)  # fmt: skip  # one case a line, as far as it goes
def test_patterns_are_read_in_order(tree: Path, patterns: list[str], files: list[str]) -> None:
    assert [path.as_posix() for path in select(tree, patterns)] == files
    for name in files:
        assert picks(name, patterns)
    left_out = {p.relative_to(tree).as_posix() for p in tree.rglob("*") if p.is_file()} - set(files)
    assert not [n for n in left_out if picks(n, patterns) and "__pycache__" not in n]


def test_equal_content_gives_equal_bytes(tree: Path) -> None:
    files = select(tree, ["!**", "functions/**"])
    first = zip_files(tree, files)
    for path in tree.rglob("*"):
        os.utime(path, (1, 1_000_000_000))

    assert zip_files(tree, files) == first
    assert zip_folder(tree / "functions") == zip_folder(tree / "functions")


def test_other_content_gives_other_bytes(tree: Path) -> None:
    files = select(tree, ["!**", "functions/a/**"])
    first = zip_files(tree, files)
    (tree / "functions/a/handler.py").write_text("changed")

    assert zip_files(tree, files) != first


def test_the_executable_bit_is_kept_and_nothing_else_of_the_mode(tree: Path) -> None:
    program = tree / "functions/a/handler.py"
    program.chmod(0o700)
    (tree / "functions/b/handler.py").chmod(0o600)

    archive = zipfile.ZipFile(io.BytesIO(zip_files(tree, select(tree, ["!**", "**/handler.py"]))))

    modes = {i.filename: oct(i.external_attr >> 16) for i in archive.infolist()}
    assert modes == {"functions/a/handler.py": "0o755", "functions/b/handler.py": "0o644"}


def test_a_folder_without_compiled_python(tree: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(zip_folder(tree / "functions/a")))

    assert archive.namelist() == ["data/x.json", "handler.py"]
    assert archive.read("handler.py") == b"functions/a/handler.py"

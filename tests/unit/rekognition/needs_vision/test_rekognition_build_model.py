"""Models are built from the files that were tested, or not at all."""

from pathlib import Path

import pytest

from trigger_stack.rekognition import build_model
from trigger_stack.rekognition.build_model import BuildError, Model, build, is_current

CONTENT = b"weights"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with one model and one licence, in place of the real ones."""
    folder = tmp_path / "packages"
    (folder / "p-1.dist-info").mkdir(parents=True)
    (folder / "p-1.dist-info" / "LICENSE").write_text("licence")
    source = folder / "p.weights"
    source.write_bytes(CONTENT)
    digest = build_model.sha256(source)
    model = Model("m.onnx", "p.weights", digest, digest, Path.read_bytes)
    monkeypatch.setattr(build_model, "MODELS", (model,))
    monkeypatch.setattr(build_model, "LICENSES", {"p-*.dist-info/LICENSE": "LICENSE.txt"})
    return folder


def test_models_come_with_their_licences(packages: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    assert not is_current(target)
    build(packages, target)
    assert is_current(target)
    assert sorted(path.name for path in target.iterdir()) == ["LICENSE.txt", "m.onnx"]


def test_another_source_is_refused(packages: Path, tmp_path: Path) -> None:
    (packages / "p.weights").write_bytes(b"other")
    with pytest.raises(BuildError, match="expected"):
        build(packages, tmp_path / "target")
    assert not (tmp_path / "target" / "m.onnx").exists()


def test_another_result_is_refused(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model,) = build_model.MODELS
    changed = Model(
        model.target, model.source, model.source_sha256, model.target_sha256, lambda _: b"x"
    )
    monkeypatch.setattr(build_model, "MODELS", (changed,))
    with pytest.raises(BuildError, match="came out"):
        build(packages, tmp_path / "target")
    assert not (tmp_path / "target" / "m.onnx").exists()


def test_a_missing_package_or_licence_is_named(packages: Path, tmp_path: Path) -> None:
    (packages / "p-1.dist-info" / "LICENSE").unlink()
    with pytest.raises(BuildError, match="LICENSE"):
        build(packages, tmp_path / "target")
    (packages / "p.weights").unlink()
    with pytest.raises(BuildError, match=r"p\.weights is missing"):
        build(packages, tmp_path / "target")


def test_a_changed_model_is_not_current(packages: Path, tmp_path: Path) -> None:
    build(packages, tmp_path / "target")
    (tmp_path / "target" / "m.onnx").write_bytes(b"changed")
    assert not is_current(tmp_path / "target")

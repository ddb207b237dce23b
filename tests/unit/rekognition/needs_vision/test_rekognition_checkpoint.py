"""Checkpoints are read without PyTorch, and without running anything that is in them."""

import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trigger_stack.rekognition.checkpoint import (
    MAGIC,
    PROTOCOL,
    CheckpointError,
    read_checkpoint,
)


class Named:
    """Pickles as a reference to a global that need not exist here."""

    def __init__(self, module: str, name: str, arguments: tuple[Any, ...] | None = None) -> None:
        self.path, self.arguments = (module, name), arguments


class Writer(pickle._Pickler):  # the Python one can be taught to write any global
    def save(self, obj: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(obj, Named):
            self.write(pickle.GLOBAL + f"{obj.path[0]}\n{obj.path[1]}\n".encode())
            if obj.arguments is not None:
                self.save(obj.arguments)
                self.write(pickle.REDUCE)
            return None
        return super().save(obj, save_persistent_id)

    def persistent_id(self, obj: Any) -> Any:
        return obj.value if isinstance(obj, Stored) else None


class Stored:
    def __init__(self, size: int, key: str = "k") -> None:
        self.value = ("storage", Named("torch", "FloatStorage"), key, "cpu", size, None)


def tensor(shape: tuple[int, ...], strides: tuple[int, ...], size: int, offset: int = 0) -> Named:
    arguments = (Stored(size), offset, shape, strides, False, OrderedDict())
    return Named("torch._utils", "_rebuild_tensor_v2", arguments)


def write(path: Path, content: Any, *, magic: int = MAGIC, data: bytes | None = None) -> Path:
    with path.open("wb") as stream:
        for item in (magic, PROTOCOL, {}, content, ["k"]):
            Writer(stream, protocol=2).dump(item)
        stream.write(struct.pack("<q", 6))
        stream.write(np.arange(6, dtype="<f4").tobytes() if data is None else data)
    return path


def test_strides_say_where_the_elements_are(tmp_path: Path) -> None:
    path = write(tmp_path / "m.pth", OrderedDict(w=tensor((2, 3), (1, 2), 6)))
    assert read_checkpoint(path)["w"].tolist() == [[0, 2, 4], [1, 3, 5]]


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("builtins", "eval"), ("torch", "load")]
)
def test_another_global_is_refused(tmp_path: Path, module: str, name: str) -> None:
    mark = tmp_path / "ran"
    content = OrderedDict(w=Named(module, name, (f"touch {mark}",)))
    with pytest.raises(CheckpointError, match=rf"{module}\.{name}"):
        read_checkpoint(write(tmp_path / "m.pth", content))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((7,), (1,), 0), ((2, 3), (3, 2), 1), ((6,), (1,), -1), ((3,), (-1,), 5)],
)
def test_a_tensor_cannot_reach_outside(
    tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    content = OrderedDict(w=tensor(shape, strides, 6, offset))
    with pytest.raises(CheckpointError):
        read_checkpoint(write(tmp_path / "m.pth", content))


def test_truncated_data_is_refused(tmp_path: Path) -> None:
    content = OrderedDict(w=tensor((6,), (1,), 6))
    with pytest.raises(CheckpointError, match="truncated"):
        read_checkpoint(write(tmp_path / "m.pth", content, data=b"1234"))


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        read_checkpoint(write(tmp_path / "m.pth", OrderedDict(), magic=1))
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "empty.pth")

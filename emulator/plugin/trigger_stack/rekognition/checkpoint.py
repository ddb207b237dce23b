"""Read the tensors of a PyTorch checkpoint (the layout before 1.6) without PyTorch.

A checkpoint is pickled data, and unpickling can run any code. The unpickler here knows the four
names that tensors are made of and refuses every other one, so that a changed file is an error and
never a program.

Layout, as PyTorch's ``torch/serialization.py`` documents it: five pickles (magic number, protocol
version, system information, the object, the storage keys), then for each key the number of
elements (int64) and the elements, all little-endian.
"""

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


class CheckpointError(ValueError):
    """The file is not a checkpoint of the known layout, or it names more than tensors."""


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    size: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


_STORAGE_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


def _rebuild_tensor(
    storage: _Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *_unused: Any,
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _TensorUnpickler(pickle.Unpickler):
    """Builds descriptions of tensors; every other global is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        raise CheckpointError(f"the checkpoint asks for {module}.{name}, which is no tensor")

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", str(dtype), str(key), str(), int(size), _):
                return _Storage(key, dtype, size)
        raise CheckpointError("the checkpoint refers to something that is not a storage")


def _unpickle(stream: BinaryIO) -> Any:
    try:
        return _TensorUnpickler(stream).load()
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError(f"the checkpoint cannot be read: {error}") from error


def _read_storage(stream: BinaryIO, storage: _Storage) -> npt.NDArray[Any]:
    header = stream.read(8)
    if len(header) != 8 or struct.unpack("<q", header)[0] != storage.size:
        raise CheckpointError(f"storage {storage.key} does not have its announced size")
    dtype = np.dtype(storage.dtype)
    data = stream.read(storage.size * dtype.itemsize)
    if len(data) != storage.size * dtype.itemsize:
        raise CheckpointError(f"storage {storage.key} is truncated")
    return np.frombuffer(data, dtype=dtype)


def _view(tensor: _Tensor, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    reach = sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if tensor.offset < 0 or min(tensor.strides, default=0) < 0:
        raise CheckpointError("a tensor starts or steps backwards")
    if tensor.offset + reach >= data.size:
        raise CheckpointError("a tensor reaches beyond its storage")
    # Checkpoints converted from other frameworks are not row-major: the strides say where to look.
    return np.lib.stride_tricks.as_strided(
        data[tensor.offset :], tensor.shape, [s * data.itemsize for s in tensor.strides]
    ).copy()


def read_checkpoint(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a checkpoint by name, row-major.

    Raises:
        CheckpointError: another layout, a truncated file, or a pickle that names anything
            besides tensors.
    """
    with path.open("rb") as stream:
        if _unpickle(stream) != MAGIC or _unpickle(stream) != PROTOCOL:
            raise CheckpointError("this is not a PyTorch checkpoint of the layout before 1.6")
        _unpickle(stream)  # sizes of C types on the machine that wrote it: not needed
        tensors = _unpickle(stream)
        keys = _unpickle(stream)
        if not isinstance(tensors, dict) or not isinstance(keys, list):
            raise CheckpointError("the checkpoint does not hold named tensors")
        described = {t.storage.key: t.storage for t in tensors.values() if isinstance(t, _Tensor)}
        if sorted(described) != sorted(keys):
            raise CheckpointError("the storages and the tensors of the checkpoint do not match")
        data = {key: _read_storage(stream, described[key]) for key in keys}
    return {name: _view(t, data[t.storage.key]) for name, t in tensors.items()}

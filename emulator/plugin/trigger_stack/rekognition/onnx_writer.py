"""Write an ONNX file: as much of the format as a convolutional classifier needs.

ONNX is Protocol Buffers (``onnx.proto`` of the ONNX project; the field numbers are those of its
messages). The few messages used here are written by hand, so that set-up needs no further package
and the same weights always give the same bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

_VARINT, _BYTES, _FIXED32 = 0, 2, 5
_FLOAT = 1  # TensorProto.DataType.FLOAT
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 2, 7
_IR_VERSION = 7
OPSET = 13


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _int(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _bytes(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _float(number: int, value: float) -> bytes:
    return _varint(number << 3 | _FIXED32) + np.float32(value).tobytes()


def _attribute(name: str, value: int | float | Sequence[int]) -> bytes:
    if isinstance(value, float):
        body, kind = _float(2, value), _ATTRIBUTE_FLOAT
    elif isinstance(value, int):
        body, kind = _int(3, value), _ATTRIBUTE_INT
    else:
        body, kind = b"".join(_int(8, item) for item in value), _ATTRIBUTE_INTS
    return _bytes(1, name) + body + _int(20, kind)


def _tensor(name: str, array: npt.NDArray[np.float32]) -> bytes:
    data = np.ascontiguousarray(array, dtype="<f4")
    dims = b"".join(_int(1, size) for size in data.shape)
    return dims + _int(2, _FLOAT) + _bytes(8, name) + _bytes(9, data.tobytes())


def _value_info(name: str, shape: Iterable[int | str]) -> bytes:
    dims = b"".join(
        _bytes(1, _bytes(2, size) if isinstance(size, str) else _int(1, size)) for size in shape
    )
    tensor_type = _int(1, _FLOAT) + _bytes(2, dims)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor_type))


@dataclass
class Graph:
    """A graph under construction: nodes in the order they run, and their constants."""

    name: str
    _nodes: list[bytes] = field(default_factory=list)
    _constants: list[bytes] = field(default_factory=list)
    _count: int = 0

    def constant(self, name: str, array: npt.NDArray[Any]) -> str:
        """Add a float32 constant and return its name."""
        self._constants.append(_tensor(name, array.astype(np.float32)))
        return name

    def node(self, op: str, inputs: Sequence[str], **attributes: int | float | list[int]) -> str:
        """Add a node with one output and return the output's name."""
        self._count += 1
        output = f"{op.lower()}_{self._count}"
        body = b"".join(_bytes(1, item) for item in inputs)
        body += _bytes(2, output) + _bytes(3, output) + _bytes(4, op)
        body += b"".join(
            _bytes(5, _attribute(key, value)) for key, value in sorted(attributes.items())
        )
        self._nodes.append(body)
        return output

    def serialize(
        self,
        inputs: Mapping[str, Sequence[int | str]],
        outputs: Mapping[str, Sequence[int | str]],
    ) -> bytes:
        """Return the ONNX file.

        ``inputs`` and ``outputs`` give each tensor's shape, a name for a dimension that may vary.
        """
        graph = b"".join(_bytes(1, node) for node in self._nodes)
        graph += _bytes(2, self.name)
        graph += b"".join(_bytes(5, constant) for constant in self._constants)
        graph += b"".join(_bytes(11, _value_info(n, s)) for n, s in inputs.items())
        graph += b"".join(_bytes(12, _value_info(n, s)) for n, s in outputs.items())
        opset = _bytes(1, "") + _int(2, OPSET)
        return (
            _int(1, _IR_VERSION) + _bytes(2, "trigger-stack") + _bytes(7, graph) + _bytes(8, opset)
        )

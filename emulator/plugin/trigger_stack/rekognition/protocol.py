"""Frames on the pipes between the service and its worker.

A frame is two lengths (4 bytes each, big-endian), a JSON header and a body of raw bytes. The
sizes are bounded on both sides, so that a confused peer is an error and not an allocation.
"""

import json
import struct
from typing import IO, Any

_LENGTHS = struct.Struct(">II")
MAX_FRAME = 64 * 1024 * 1024


class ProtocolError(Exception):
    """The other side closed the pipe, or sent something that is no frame."""


def write_frame(stream: IO[bytes], header: dict[str, Any], body: bytes = b"") -> None:
    """Write one frame.

    Raises:
        OSError: the other side is gone.
    """
    encoded = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(encoded), len(body)) + encoded)
    stream.write(body)
    stream.flush()


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ProtocolError("the pipe ended inside a frame")
    return data


def read_frame(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Return the next frame's header and body, or ``None`` at the end of the stream.

    Raises:
        ProtocolError: the stream ended inside a frame, or the frame is malformed.
    """
    first = stream.read(1)
    if not first:
        return None
    header_size, body_size = _LENGTHS.unpack(first + _read_exactly(stream, _LENGTHS.size - 1))
    if header_size + body_size > MAX_FRAME:
        raise ProtocolError("the frame is larger than any picture")
    try:
        header = json.loads(_read_exactly(stream, header_size))
    except ValueError as error:
        raise ProtocolError("the header is not JSON") from error
    if not isinstance(header, dict):
        raise ProtocolError("the header is not an object")
    return header, _read_exactly(stream, body_size)

"""Frames survive the pipe, and nothing else does."""

import io
import struct

import pytest

from trigger_stack.rekognition.protocol import ProtocolError, read_frame, write_frame


def frame(header: dict[str, object], body: bytes = b"") -> bytes:
    stream = io.BytesIO()
    write_frame(stream, header, body)
    return stream.getvalue()


def test_frames_come_back_in_order() -> None:
    stream = io.BytesIO(frame({"a": 1}, b"body") + frame({"b": "ü"}))
    assert read_frame(stream) == ({"a": 1}, b"body")
    assert read_frame(stream) == ({"b": "ü"}, b"")
    assert read_frame(stream) is None


@pytest.mark.parametrize("missing", range(1, len(frame({"a": 1}, b"body"))))
def test_a_cut_frame_is_an_error(missing: int) -> None:
    with pytest.raises(ProtocolError):
        read_frame(io.BytesIO(frame({"a": 1}, b"body")[:-missing]))


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">II", 2**31, 2**31),
        struct.pack(">II", 3, 0) + b"{x}",
        struct.pack(">II", 2, 0) + b"[]",
    ],
)
def test_what_is_no_frame_is_an_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_frame(io.BytesIO(data))

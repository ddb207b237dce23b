"""Open a model with ONNX Runtime, sparing with memory and processor time."""

import ctypes
from pathlib import Path
from typing import Any

import onnxruntime  # type: ignore[import-untyped]  # it ships no types


def open_session(path: Path, *, keep_memory: bool = False) -> Any:
    """Return an inference session that computes on one thread.

    One thread, because results then never depend on the number of cores, and none spins while it
    waits. ``keep_memory`` keeps the buffers between calls: right for inputs of one size.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = keep_memory
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    provider = ("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})
    session = onnxruntime.InferenceSession(str(path), sess_options=options, providers=[provider])
    _give_back_memory()
    return session


def _give_back_memory() -> None:
    """Loading a model needs twice its size for a moment; glibc keeps that unless asked."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

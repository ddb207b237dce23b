"""The process that holds the models: ``python -m trigger_stack.rekognition.worker MODEL_DIR``.

It reads requests from standard input and answers on standard output, one at a time. It ends when
its standard input ends, and also when its parent does: a forked child of the parent may have
inherited the other end of the pipe, and then the pipe alone would never end. Waiting for either
costs no processor time.
"""

import os
import resource
import select
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from trigger_stack.rekognition.errors import RekognitionError
from trigger_stack.rekognition.protocol import read_frame, write_frame
from trigger_stack.rekognition.vision import Vision

ADDRESS_SPACE = 4 * 1024**3


def _end_with_parent() -> None:
    """End this process as soon as its parent ends (Linux; elsewhere the pipe has to do)."""
    parent = os.getppid()
    try:
        descriptor = os.pidfd_open(parent)
    except (AttributeError, OSError):
        return

    def wait() -> None:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        ended.poll()
        os._exit(0)

    if os.getppid() != parent:  # it ended before we could watch it
        os._exit(0)
    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


def _limit_memory() -> None:
    """Turn a picture that needs absurd memory into an error of this process alone."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = ADDRESS_SPACE if hard == resource.RLIM_INFINITY else min(ADDRESS_SPACE, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _answer(vision: Vision, header: dict[str, Any], body: bytes) -> dict[str, Any]:
    try:
        return {"response": vision.operations()[header["operation"]](body, header["request"])}
    except RekognitionError as error:
        return {"error": {"code": error.code, "message": error.message}}
    except MemoryError:
        message = "Image size is too large: it needs more memory than the model may use"
        return {"error": {"code": "ImageTooLargeException", "message": message}}
    except Exception:
        # One broken request must not take the models down; the trace belongs in the log.
        traceback.print_exc(file=sys.stderr)
        message = "The vision worker failed on this picture; the emulator's log has the trace"
        return {"error": {"code": "InternalServerError", "message": message}}


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _end_with_parent()
    _limit_memory()
    vision = Vision(Path(sys.argv[1]))
    requests = sys.stdin.buffer
    # Whatever a library prints must not land between the frames.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while frame := read_frame(requests):
        try:
            write_frame(answers, _answer(vision, *frame))
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()

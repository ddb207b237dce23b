"""``python -m bootstrap``."""

from __future__ import annotations

import gc
import sys

if __name__ == "__main__":
    # To compile what a command imports takes longer than most commands do. So its bytecode is kept,
    # also where PYTHONDONTWRITEBYTECODE is set, as in many containers; Python notices a change.
    sys.dont_write_bytecode = False
    # Nearly all that a command makes stays until its end: Python would look for garbage in it.
    gc.set_threshold(100_000, 20, 20)
    from bootstrap.cli import main

    try:
        main()
    finally:
        # Python looks for garbage once more at its end, in all that was ever imported.
        gc.freeze()

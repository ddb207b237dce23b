"""These tests look inside the vision part; without it there is nothing to look at."""

import importlib.util

PARTS = ("numpy", "onnxruntime", "PIL")
missing = [name for name in PARTS if importlib.util.find_spec(name) is None]

# Set-up with VISION=0 leaves the packages out on purpose: only the tests that need none of them
# are collected then.
collect_ignore_glob = ["needs_vision/*"] if missing else []

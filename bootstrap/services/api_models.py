"""The API models that the installed SDK comes with, read without the SDK itself.

botocore's loader reads the same file; importing it takes longer than a whole check, and a model is
large: only what is asked for is decoded.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path


def enumeration(service: str, shape: str) -> tuple[str, ...]:
    """The values of an enumeration in the newest model of a service.

    Args:
        service: as boto3 calls it: ``lambda``.
        shape: name of the enumeration: ``Runtime``.

    Raises:
        FileNotFoundError: no such service.
        KeyError: no such shape, or it is no enumeration.
    """
    text, key = _text(service).decode(), f'"{shape}":'
    place, decoder = text.find(key), json.JSONDecoder()
    while place >= 0:  # a member of another shape may be called like it
        definition, _ = decoder.raw_decode(text, place + len(key))
        if "enum" in definition:
            return tuple(definition["enum"])
        place = text.find(key, place + 1)
    raise KeyError(shape)


def _text(service: str) -> bytes:
    found = importlib.util.find_spec("botocore")
    roots = [Path(place) for place in (found and found.submodule_search_locations) or ()]
    for root in roots:
        for version in sorted((root / "data" / service).glob("*/service-2.json*"), reverse=True):
            content = version.read_bytes()
            return gzip.decompress(content) if version.suffix == ".gz" else content
    raise FileNotFoundError(f"botocore has no model of {service}")

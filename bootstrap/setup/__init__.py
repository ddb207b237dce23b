"""Set-up of ``RUNTIME=native``: everything the stack needs, in ``.venv`` and ``.build``.

It runs before any package is installed, so it imports the standard library alone; so does what it
imports of :mod:`bootstrap`. Each step is remembered by the hash of what it was made from.
"""

"""Node.js functions: AWS's runtime client, fetched with npm when the first function needs it.

The rest of the engine works without this package: where it is left out, ``nodejs*`` functions are
refused with a sentence that says so.
"""

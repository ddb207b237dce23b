"""The definition file: from text to a list of AWS resources.

``document`` reads YAML and remembers lines, ``variables`` resolves ``${…}``, ``model`` checks the
shape, ``events`` knows the kinds of triggers, ``compile`` turns functions and triggers into
CloudFormation resources.
"""

from __future__ import annotations

import os

# Looking for plugins of pydantic, which are not to change how a definition is read, would read the
# metadata of every installed package.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

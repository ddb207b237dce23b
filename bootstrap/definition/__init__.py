"""The definition file: from text to a list of AWS resources.

``document`` reads YAML and remembers lines, ``variables`` resolves ``${…}``, ``model`` checks the
shape, ``compile`` turns functions and triggers into CloudFormation resources.
"""

from bootstrap.definition.compile import compile_template
from bootstrap.definition.document import Document, load_document

__all__ = ["Document", "compile_template", "load_document"]

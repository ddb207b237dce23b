"""The definition file: from text to a list of AWS resources.

``document`` reads YAML and remembers lines, ``variables`` resolves ``${…}``, ``model`` checks the
shape, ``events`` knows the kinds of triggers, ``compile`` turns functions and triggers into
CloudFormation resources.
"""

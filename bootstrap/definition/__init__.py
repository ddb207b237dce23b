"""The definition file: from text to a list of AWS resources.

``document`` reads YAML and remembers lines, ``variables`` resolves ``${…}``, ``model`` checks the
shape, ``compile`` turns functions and triggers into CloudFormation resources.
"""

"""``make init``: the beginning of a project, with one function for each trigger asked for."""

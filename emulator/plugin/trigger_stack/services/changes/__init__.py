"""Whether anything was changed since a run of the bootstrap left everything as described."""

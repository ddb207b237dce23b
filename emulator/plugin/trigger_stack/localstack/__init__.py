"""Everything that touches the internals of LocalStack."""

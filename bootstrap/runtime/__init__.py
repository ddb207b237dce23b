"""The two ways of running the stack."""

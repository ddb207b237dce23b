"""Execution environments: processes that run functions, and what keeps them apart."""

"""The Lambda service, executed by the engine."""

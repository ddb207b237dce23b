"""Accepted events on their way to a function: retries, and where failures end."""

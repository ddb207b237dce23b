"""Shared by all front doors: the server, requests and responses."""

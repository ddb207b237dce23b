"""The server behind port 4566."""

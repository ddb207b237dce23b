"""Command line tools: logs, hot reload, debugging."""

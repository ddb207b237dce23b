"""Carries the log lines of functions and the platform to CloudWatch Logs."""

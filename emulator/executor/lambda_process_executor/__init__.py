"""Runs LocalStack's Lambda functions in child processes of the emulator."""

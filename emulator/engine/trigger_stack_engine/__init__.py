"""The engine: runs Lambda functions and serves their front doors, beside LocalStack."""

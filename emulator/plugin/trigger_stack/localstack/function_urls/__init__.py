"""Lambda function URLs inside LocalStack."""

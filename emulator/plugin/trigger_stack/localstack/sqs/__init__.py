"""Amazon SQS inside LocalStack."""

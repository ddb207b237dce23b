"""CloudFront inside LocalStack."""

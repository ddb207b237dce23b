"""CloudWatch Logs inside LocalStack: subscription filters and resource policies."""

"""CloudWatch Logs inside LocalStack: subscription filters."""

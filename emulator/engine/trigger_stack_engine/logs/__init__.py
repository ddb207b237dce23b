"""What functions and the platform write, on its way to CloudWatch Logs."""

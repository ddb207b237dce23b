"""Amazon CloudWatch: metrics of Lambda functions, published together."""

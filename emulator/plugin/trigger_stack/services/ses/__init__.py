"""Amazon SES: what LocalStack's control plane lacks."""

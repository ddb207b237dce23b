"""Application Load Balancers inside LocalStack."""

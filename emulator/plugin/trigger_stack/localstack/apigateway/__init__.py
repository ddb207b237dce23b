"""REST APIs (``apigateway``) inside LocalStack."""

"""HTTP APIs (``apigatewayv2``) inside LocalStack."""

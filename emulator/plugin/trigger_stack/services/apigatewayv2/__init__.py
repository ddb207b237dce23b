"""Amazon API Gateway HTTP APIs (``apigatewayv2``): control plane and data plane."""

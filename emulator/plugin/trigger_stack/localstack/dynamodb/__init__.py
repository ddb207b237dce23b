"""Amazon DynamoDB: the server, requests to it, and time to live."""

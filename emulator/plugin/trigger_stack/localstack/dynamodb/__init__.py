"""Amazon DynamoDB: the server, requests to it, time to live, and changes for Kinesis."""

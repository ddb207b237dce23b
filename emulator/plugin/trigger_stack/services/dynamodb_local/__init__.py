"""Amazon DynamoDB: AWS's own DynamoDB Local, bundled, on the loopback interface."""

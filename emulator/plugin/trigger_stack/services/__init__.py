"""AWS services that the open release of LocalStack lacks; nothing here imports LocalStack."""

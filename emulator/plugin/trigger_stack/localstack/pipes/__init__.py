"""Amazon EventBridge Pipes inside LocalStack."""

"""Amazon S3: what its notifications say, where they go, and where objects are."""

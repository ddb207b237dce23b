"""Reads ``serverless.yml`` and creates everything it describes, through boto3, idempotently."""

"""Amazon Kinesis Data Streams, in memory.

``streams`` holds streams, shards and records; ``iterators`` the tokens that readers get;
``service`` the operations of the API. Nothing here knows of LocalStack.
"""

"""Event source mappings of streams: Kinesis and DynamoDB.

``mapping`` runs one mapping: a reader for each shard. ``shard`` reads a shard and hands its records
to lanes; ``lane`` makes batches and has the function handle them in order: retries, halves, partial
failures, age. ``windows`` adds tumbling windows. ``records`` are the shapes that functions and
destinations get.
"""

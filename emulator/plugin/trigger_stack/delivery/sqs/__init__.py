"""Messages of a queue, on their way to a function: event source mappings for Amazon SQS."""

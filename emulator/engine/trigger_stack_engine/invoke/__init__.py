"""Which environment handles an event, and who is throttled."""

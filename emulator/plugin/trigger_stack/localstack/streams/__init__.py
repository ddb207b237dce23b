"""Connects the mappings of streams (``trigger_stack.delivery.streams``) to LocalStack."""

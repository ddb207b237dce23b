"""How many brands a page of the list has."""

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

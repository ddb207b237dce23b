"""Log events on their way to the destinations of subscription filters."""

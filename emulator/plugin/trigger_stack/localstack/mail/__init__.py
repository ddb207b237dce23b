"""Amazon SES: mail that is received, and its API version 2."""

"""What all front doors share: the server, requests and responses."""

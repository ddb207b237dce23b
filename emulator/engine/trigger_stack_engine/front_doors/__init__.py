"""Where HTTP requests come in: one core, one folder for each kind of front door."""

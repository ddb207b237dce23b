"""What every kind of delivery shares."""

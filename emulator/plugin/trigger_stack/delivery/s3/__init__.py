"""Notifications of buckets: which fire, which may stand beside each other, their sequencers."""

"""Schedules: when they are due, and the clock by which they fire."""

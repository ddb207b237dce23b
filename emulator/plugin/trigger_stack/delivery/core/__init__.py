"""Shared by every kind of delivery."""

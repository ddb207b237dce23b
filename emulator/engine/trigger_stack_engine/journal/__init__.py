"""The record of every accepted event: where it is, and how it got there."""

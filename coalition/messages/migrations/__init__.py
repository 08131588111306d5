"""Migrations of messages, run in the order of their names."""

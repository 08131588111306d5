"""Families: groups that pool points and members that move them, under rule sets that are data."""

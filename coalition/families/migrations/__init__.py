"""The schema of families, forward only."""

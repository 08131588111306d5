"""The schema of access, forward only."""

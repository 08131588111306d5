"""The schema of members, forward only."""

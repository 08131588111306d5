"""The schema of settlement, forward only."""

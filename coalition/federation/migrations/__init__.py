"""The schema of the federation, forward only."""

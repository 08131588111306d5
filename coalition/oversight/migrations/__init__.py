"""The schema of oversight, forward only."""

"""The schema of the gateway, forward only."""

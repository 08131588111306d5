"""The schema of benefits, forward only."""

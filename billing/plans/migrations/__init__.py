"""The schema of plans and their prices."""

"""The HTTP doors of members, guardians and staff."""

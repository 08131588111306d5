"""A ledger of points in plain Python, slow and obvious; it imports nothing of the product."""

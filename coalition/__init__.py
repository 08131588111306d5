"""The federation itself: ledger, partners, access, members and points; it knows nothing of the doors."""

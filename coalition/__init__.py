"""The federation itself: ledger, partners, access, members, points; it knows no doors."""

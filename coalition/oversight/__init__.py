"""Who did what, provably; and what only two persons together may do."""

"""What members are told of their memberships, in words: the receipts and notices of billing."""

"""A stand-in for Stripe that speaks its HTTP, for demos and tests without a key."""

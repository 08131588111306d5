"""The schema of idempotency claims, forward only."""

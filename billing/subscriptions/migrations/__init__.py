"""The schema of subscriptions, forward only."""

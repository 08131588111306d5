"""Paid membership: plans, subscriptions at Stripe, what a plan gives, and what it costs whom."""

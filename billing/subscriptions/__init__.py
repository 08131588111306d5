"""Memberships from the first checkout to the end, kept equal to what Stripe holds."""

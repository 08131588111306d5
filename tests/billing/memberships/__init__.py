"""Tests of what members do with memberships, through Stripe's own client at the sandbox."""

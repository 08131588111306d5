"""Billing as Stripe does it: subscriptions through their cycles, their invoices, refunds."""

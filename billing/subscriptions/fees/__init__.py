"""Fees in money of families: paid on Stripe's page, and given back where nothing comes of them."""

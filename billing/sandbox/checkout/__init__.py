"""Checkout: sessions that sell a subscription or a single thing, or keep a card."""

"""Clients of partners, their credentials, and the tokens that they get for them."""

"""Clients of partners and of the operator, their credentials, and the tokens they get."""

"""The federation, on a real database."""

"""The doors of families, on the whole service."""

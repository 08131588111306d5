"""Properties: the product against models that were written without it."""

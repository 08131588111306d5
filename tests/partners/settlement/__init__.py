"""Settlement: periods, drains, statements, closing."""

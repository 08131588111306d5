"""The product put together."""

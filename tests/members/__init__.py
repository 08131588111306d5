"""Members against a real PostgreSQL."""

"""Statements: what a partner may read of its own settlement."""

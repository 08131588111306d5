"""Audit log and approvals, on a real database."""

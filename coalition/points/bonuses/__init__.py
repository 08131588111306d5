"""Earning rules beyond the base rate: documents, conditions, their evaluation and their keeping."""

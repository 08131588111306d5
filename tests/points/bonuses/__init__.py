"""Tests of earning rules: documents, conditions, evaluation and keeping."""

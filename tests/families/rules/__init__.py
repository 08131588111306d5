"""Tests of the evaluator: every predicate by example and at its edges, and against a slow one."""
